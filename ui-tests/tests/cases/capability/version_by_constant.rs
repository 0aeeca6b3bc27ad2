use vfio_user::{Device, PciDevice};

const REVISION: u8 = 16;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, dvsec(b"", vendor = 0x1af4, id = 1, revision = REVISION))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
