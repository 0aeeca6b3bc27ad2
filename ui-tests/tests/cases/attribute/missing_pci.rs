use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
