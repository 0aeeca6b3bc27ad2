use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express(speed = 3, speed = 4, extended_tags, extended_tags))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
