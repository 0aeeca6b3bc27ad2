use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(vendor(b"card", whole))]
struct Card {}

impl Device for Card {
    type Event = ();
}

fn main() {}
