#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(Clone, Copy, Default, RegisterBlock)]
struct Group {
    #[reg(0x00, wo, watch)]
    tail: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
struct Card {
    #[reg(0x00)]
    status: u32,
    #[block(0x1000)]
    group: Group,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
