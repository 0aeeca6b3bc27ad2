use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
