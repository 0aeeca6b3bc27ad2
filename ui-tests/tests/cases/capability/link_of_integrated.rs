use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express(integrated, speed = 3, width = 4, payload = 256))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
