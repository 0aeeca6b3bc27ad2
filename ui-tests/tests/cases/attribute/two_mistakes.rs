use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x3000)]
struct Edu {
    #[reg(0x12, w1x)]
    x: u32,
    #[reg(0x04, reset = 0x100)]
    y: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
