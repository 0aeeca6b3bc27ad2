use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: io, size = 0x100, shared)]
struct Edu {
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
