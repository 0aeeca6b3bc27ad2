use vfio_user::{Device, PciDevice};

const PAGE: u64 = 0x1000;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x4000, shared)]
#[irq(msix = 4, bar = 0, table = PAGE)]
struct Edu {
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
