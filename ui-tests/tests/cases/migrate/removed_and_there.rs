//! M06: the name of what was removed is taken for ever.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[migrate(version = 2, removed("len", "pace", "no name"))]
struct Edu {
    len: u32,
    #[migrate(renamed_from = "pace")]
    speed: u32,
}

impl Device for Edu {
    type Event = ();
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[migrate(none, removed("len"))]
struct Pinned {}

impl Device for Pinned {
    type Event = ();
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[migrate(removed = "len")]
struct Wrong {}

impl Device for Wrong {
    type Event = ();
}

fn main() {}
