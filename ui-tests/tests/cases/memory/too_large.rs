use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100_0000)]
struct Card {
    #[memory(0x0..0x80_0000)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
