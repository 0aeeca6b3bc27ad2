//! A device migrates as a whole, or not at all.

use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(RegisterBlock)]
#[migrate(none)]
struct Queue {
    #[reg(0x00)]
    base: u64,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[block(0x00)]
    queue: Queue,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
