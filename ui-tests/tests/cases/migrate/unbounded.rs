//! M02: a collection has an end, or a stream could make it as large as it likes.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    buffer: Vec<u8>,
    names: Vec<(u32, String)>,
    #[migrate(max_len = 4)]
    bounded: Vec<u8>,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
