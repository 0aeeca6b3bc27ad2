use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[reg(0x00)]
struct Edu {
    #[bar(0: mem32, size = 0x1000)]
    x: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
