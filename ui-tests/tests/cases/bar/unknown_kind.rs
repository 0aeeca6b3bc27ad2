use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mme32, size = 0x1000)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
