use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0xf00..0x1100)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
