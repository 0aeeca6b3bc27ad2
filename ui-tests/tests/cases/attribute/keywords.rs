#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = Self)]
struct Group {
    #[reg(0x00, wo, write_with = self)]
    status: Virtual<u32>,
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2, crate = Self)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, read_with = self)]
    status: Virtual<u32>,
    #[reg(0x04, on_write = Self)]
    control: u32,
    #[timer(crate)]
    timer: vfio_user::Timer,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
