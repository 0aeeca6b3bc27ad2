use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
enum Edu {
    A,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
