use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(3: mem32, size = 0x1000)]
#[bar(3: io, size = 0x10)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
