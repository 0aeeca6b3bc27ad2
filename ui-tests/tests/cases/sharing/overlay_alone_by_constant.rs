use vfio_user::{Device, PciDevice};

const STATUS: u64 = 0x08;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(STATUS, ro, overlay)]
    status: u32,
    #[reg(0x04)]
    control: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
