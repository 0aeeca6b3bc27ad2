use vfio_user::{Device, PciDevice};

const TABLE: u32 = 0x804;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 2, bar = 0, table = TABLE)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
