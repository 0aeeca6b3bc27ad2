use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x200, barr = 0, reset = keeps, on_write)]
    one: Vec<u8>,
    #[memory(0x200..0x300, bar = 1)]
    two: Vec<u8>,
    #[memory(0x300..0x400, bar = config)]
    three: Vec<u8>,
    #[memory(0x400..0x500)]
    #[memory(0x500..0x600)]
    four: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
