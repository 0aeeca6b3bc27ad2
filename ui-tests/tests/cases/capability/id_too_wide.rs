use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, custom(b"", id = 0x100), vsec(b"", id = 0x10000), dvsec(b"", vendor = 0x1af40, id = 1))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
