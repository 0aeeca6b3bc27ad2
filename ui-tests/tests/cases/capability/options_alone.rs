#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[irq(msi = 4)]
#[capability(express, flr, pm, wakes_from(d0), d1, msi, maskable, at = 0x80, revision = 1)]
#[capability(vpd(b"x", flr), serial(at = 0x100, legacy))]
struct Card {
    state: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
