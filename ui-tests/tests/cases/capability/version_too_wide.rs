use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, vsec(b"", id = 1, revision = 16), extended(b"", id = 0xee, version = 0x10))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
