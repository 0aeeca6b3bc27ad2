#![deny(deprecated)]

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000, prefetchable)]
#[bar(2: mem64, size = 0x1000, prefetchable)]
#[capability(express)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
