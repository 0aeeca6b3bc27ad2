use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, ltr, serial(0x1122, at = 0x202))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
