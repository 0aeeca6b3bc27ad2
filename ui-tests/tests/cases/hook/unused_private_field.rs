//! Registers are used by the bus; private fields that do not migrate, by
//! the author or not at all.

#![deny(dead_code)]

use vfio_user::{Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, ro, reset = 1)]
    id: Virtual<u32>,
    #[reg(0x04)]
    scratch: u32,
    #[migrate(skip)]
    counter: u64,
}

impl Device for Edu {
    type Event = ();
}

fn main() {
    let _ = Edu { id: Virtual::new(), scratch: 0, counter: 0 };
}
