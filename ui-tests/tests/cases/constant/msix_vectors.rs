use vfio_user::{Device, PciDevice};

const VECTORS: usize = 0x1_0001;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(msix = VECTORS)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
