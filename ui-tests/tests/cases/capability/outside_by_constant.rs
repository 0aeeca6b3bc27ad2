use vfio_user::{Device, PciDevice};

impl Edu {
    const PLACE: usize = 0x1_0000;
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(pm(at = Self::PLACE))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
