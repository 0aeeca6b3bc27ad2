use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, vsec(b"", id = "one"), serial = "1122", ltr(at = 4.5))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
