use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, vsec(b"long", id = 1, at = 0x100), ltr(at = 0x108))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
