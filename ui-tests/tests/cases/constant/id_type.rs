use vfio_user::{Device, PciDevice};

const DEVICE: u32 = 1;

#[derive(PciDevice)]
#[pci(vendor = 1, device = DEVICE)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
