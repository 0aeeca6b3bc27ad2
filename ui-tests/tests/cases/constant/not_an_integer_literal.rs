#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 4096.0)]
#[irq(msix = "4")]
struct Card {
    #[reg(0x24, reset = [1, 2])]
    array: [u32; 2],
    #[reg(0x2c, reset = (1.5))]
    literal: u32,
    #[reg(0x30, reset = true)]
    boolean: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
