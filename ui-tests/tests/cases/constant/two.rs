use vfio_user::{Device, PciDevice};

const ODD: u64 = 0xb;
const END: u64 = 0x1000;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(ODD)]
    a: u32,
    #[reg(END)]
    b: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
