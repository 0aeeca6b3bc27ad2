use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x10, stride = 8)]
    a: [u32; 4],
    #[reg(0x2c)]
    fits: u32,
    #[reg(0x28)]
    b: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
