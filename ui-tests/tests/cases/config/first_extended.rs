#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(Clone, Copy, Default, RegisterBlock)]
struct Group {
    #[reg(0x00)]
    first: u32,
    #[reg(0x10)]
    last: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[capability(express)]
struct Card {
    #[reg(0x100, bar = config)]
    first: u32,
    #[reg(0x104, bar = config)]
    second: u32,
}

impl Device for Card {
    type Event = ();
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[capability(express)]
struct Others {
    #[reg(0x80, bar = config, stride = 0x80)]
    columns: [u8; 4],
    #[block(0xf8, bar = config)]
    group: Group,
}

impl Device for Others {
    type Event = ();
}

fn main() {}
