use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1, min_gnt = 8, max_lat = 1)]
#[capability(express)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
