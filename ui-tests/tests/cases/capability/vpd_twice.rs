use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(vpd(b"one"), vpd(b"two"), express, aer, aer)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
