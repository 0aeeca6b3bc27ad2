//! What is skipped does not migrate at all.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip, since = 2)]
    a: u32,
    #[migrate(skipped)]
    b: u32,
    #[migrate(version = 2)]
    c: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
