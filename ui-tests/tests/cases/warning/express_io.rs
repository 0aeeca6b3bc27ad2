#![deny(deprecated)]

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: io, size = 0x20)]
#[capability(express)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
