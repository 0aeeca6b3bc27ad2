//! M01: state is plain data that serde can write and read.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    handle: Handle,
}

impl Device for Edu {
    type Event = ();
}

struct Handle;

fn main() {}
