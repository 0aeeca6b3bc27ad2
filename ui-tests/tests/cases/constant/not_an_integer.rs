#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


const HALF: f64 = 0.5;
const LARGE: u128 = 1 << 64;
const BELOW: i32 = -4;
const SIZE: f32 = 4096.0;

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = SIZE)]
#[irq(msix = HALF)]
struct Card {
    #[reg(BELOW)]
    at: u32,
    #[reg(0x10, reset = LARGE)]
    reset: u32,
    #[reg(0x14, mask = HALF)]
    mask: u32,
    #[reg(0x18, stride = HALF)]
    stride: [u32; 2],
    #[migrate(max_len = HALF)]
    names: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
