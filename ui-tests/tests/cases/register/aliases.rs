#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


type Ring = [u32; 4];
type Nothing = Virtual<u32>;

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    ring: Ring,
    #[reg(0x10)]
    nothing: Nothing,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
