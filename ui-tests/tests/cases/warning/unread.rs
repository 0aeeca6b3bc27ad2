#![deny(deprecated)]

use vfio_user::{Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, wo)]
    stored: u32,
    #[reg(0x04, mask = 0xff, wo)]
    lost: Virtual<u32>,
    #[reg(0x08, wo1, bar = 0)]
    once: [u32; 4],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
