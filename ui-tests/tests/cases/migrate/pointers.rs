//! M05: what points somewhere means nothing in another process.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    name: &'static str,
    shared: std::sync::Arc<u32>,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
