use vfio_user::{Device, PciDevice};

const SIZE: u64 = 0x800;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = SIZE, shared)]
struct Edu {
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
