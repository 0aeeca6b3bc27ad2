use vfio_user::{Device, PciDevice};

const BYTES: &[u8] = &[0; 90];

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(msix = 1)]
#[capability(vendor([0; 100].as_slice()), vendor(BYTES), vendor(b"last"))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
