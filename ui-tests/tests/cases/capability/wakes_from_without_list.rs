use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(pm(wakes_from = d0))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
