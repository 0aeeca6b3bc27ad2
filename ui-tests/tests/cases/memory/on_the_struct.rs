use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[memory(0x100..0x200)]
struct Card {}

impl Device for Card {
    type Event = ();
}

fn main() {}
