use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(intx)]
#[capability(msi(at = 0x50), msix)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
