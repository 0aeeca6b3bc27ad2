//! M06: a name in the stream means one field.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    scratch: u32,
    len: u32,
    #[migrate(renamed_from = "len")]
    length: u32,
    #[migrate(renamed_from = "scratch pad")]
    pad: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
