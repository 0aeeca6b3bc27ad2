use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express(speed = 7, width = 3, payload = 100))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
