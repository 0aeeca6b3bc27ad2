use vfio_user::{Device, PciDevice};

const BYTES: &[u8] = &[0; 180];

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(msi = 1, msix = 1)]
#[capability(vendor(BYTES))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
