use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = "Intel", device = 1, name = 5, subsystem = 3)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
