//! A condition on a register that does not exist is the only error: whether the registers overlap
//! depends on what was meant.

use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Paged {
    #[reg(0x00)]
    page: u32,
    #[reg(0x04, when(page = 0))]
    scratch: u32,
    #[reg(0x04, when(pge = 1))]
    level: u32,
    #[reg(0x04, when(page = 2))]
    limit: u32,
}

impl Device for Paged {
    type Event = ();
}

fn main() {}
