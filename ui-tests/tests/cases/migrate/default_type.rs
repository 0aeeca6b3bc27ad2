#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


const HALF: f64 = 0.5;

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct Card {
    #[migrate(since = 2, default = "four")]
    count: u32,
    #[reg(0x00)]
    #[migrate(since = 2, default = HALF)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
