use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[block(0x100)]
    queue: (u32, u32),
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
