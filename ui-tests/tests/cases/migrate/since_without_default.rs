//! M04: what a new field is in old state has to be said.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(since = 2)]
    added: u32,
    #[migrate(default = 1)]
    always: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
