use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, custom(b"123456", id = 0x01), extended(b"12345678", id = 0x03))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
