//! M07: a state has the same size everywhere.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    count: usize,
    offset: isize,
    limit: Option<std::num::NonZeroUsize>,
    balance: std::sync::atomic::AtomicIsize,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
