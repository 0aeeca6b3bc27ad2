#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0)]
#[bar(1: io, size = 0)]
struct Card {
    #[reg(0x00, bar = 0)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
