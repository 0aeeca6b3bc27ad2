#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(Clone, Copy, Default, RegisterBlock)]
struct Group {
    #[reg(0x00, lock = contrl)]
    status: u32,
    #[reg(0x04)]
    control: u32,
    #[reg(0x08, lock = jobs)]
    tail: u32,
    jobs: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, lock = group.control)]
    status: u32,
    #[block(0x10)]
    group: Group,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
