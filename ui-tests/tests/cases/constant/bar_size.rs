use vfio_user::{Device, PciDevice};

const SIZE: usize = 0x3000;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = SIZE)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
