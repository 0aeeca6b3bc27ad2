use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
struct Clock {
    #[migrate(with = "minutes")]
    started: u32,
}

impl Device for Clock {
    type Event = ();
}

fn main() {}
