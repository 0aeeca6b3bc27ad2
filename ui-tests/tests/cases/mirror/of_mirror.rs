use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
#[bar(1: io, size = 0x100, mirror = 0)]
#[bar(2: mem32, size = 0x100, mirror = 1)]
struct Card {
    #[reg(0x00)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
