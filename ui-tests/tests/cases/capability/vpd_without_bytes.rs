use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(vpd)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
