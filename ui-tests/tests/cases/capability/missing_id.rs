use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, vsec(b""), dvsec(b""), custom = b"", extended(b"", version = 1))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
