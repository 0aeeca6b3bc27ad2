use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x10, stride = 8)]
    even: [u32; 4],
    #[reg(0x14, stride = 8)]
    odd: [u32; 4],
    #[reg(0x18, stride = 16)]
    lost: [u32; 2],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
