use vfio_user::{Device, PciDevice};

const CUSTOM: u16 = 7;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(custom(b"", id = CUSTOM))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
