use vfio_user::{Device, PciDevice};

const END: i32 = 0x1000;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(END)]
    x: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
