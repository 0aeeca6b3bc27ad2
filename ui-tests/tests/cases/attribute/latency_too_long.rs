use vfio_user::{Device, PciDevice};

const LONG: u16 = 8;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1, min_gnt = 256, max_lat = LONG, self_test = 1)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
