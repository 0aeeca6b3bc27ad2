use vfio_user::{Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    a: bool,
    #[reg(0x04)]
    b: i32,
    #[reg(0x08)]
    c: Virtual<usize>,
    #[reg(0x10)]
    d: (u8, u8),
    #[reg(0x14)]
    e: &'static u32,
    #[reg(0x18)]
    f: [[u8; 2]; 2],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
