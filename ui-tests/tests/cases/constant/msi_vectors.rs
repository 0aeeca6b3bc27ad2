use vfio_user::{Device, PciDevice};

const VECTORS: usize = 6;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(msi = VECTORS)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
