use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x4000)]
#[irq(msix = 4, bar = 0, table = 0x2000)]
struct Card {
    #[memory(0x2800..0x2900)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
