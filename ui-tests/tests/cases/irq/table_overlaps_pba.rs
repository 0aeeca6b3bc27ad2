use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 16, bar = 0, table = 0x800, pba = 0x8f8)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
