use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = Self::SIZE)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    const SIZE: usize = 0x3000;
}

fn main() {}
