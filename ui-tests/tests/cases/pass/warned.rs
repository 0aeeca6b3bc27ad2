//! What is warned of is no mistake.

use vfio_user::{Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000, prefetchable)]
#[bar(1: io, size = 0x20)]
#[capability(express)]
struct Edu {
    #[reg(0x00, wo)]
    stored: u32,
    #[reg(0x04, wo)]
    lost: Virtual<u32>,
}

impl Device for Edu {
    type Event = ();
}

fn main() {
    assert_eq!(Edu::DESCRIPTOR.validate(), Ok(()));
}
