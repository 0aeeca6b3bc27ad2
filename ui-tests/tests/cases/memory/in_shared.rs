use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x2000))]
struct Card {
    #[memory(0x1800..0x1900)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
