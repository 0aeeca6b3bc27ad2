#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


const BASE: u64 = 0xf;

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, mask = !0xf)]
    fits: u32,
    #[reg(0x04, mask = !0xf, reset = !0xff, writable = !0xfff)]
    narrow: u16,
    #[reg(0x08, mask = 0xff, reset = !0xf)]
    reserved: u32,
    #[reg(0x0c, mask = !BASE)]
    typed: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
