#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    status: u32,
    #[reg(0x04)]
    status: u16,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
