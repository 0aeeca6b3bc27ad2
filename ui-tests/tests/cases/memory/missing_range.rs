use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory]
    one: Vec<u8>,
    #[memory(bar = 0)]
    two: Vec<u8>,
    #[memory(0x100)]
    three: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
