use vfio_user::{Device, PciDevice};

const FIRST: u8 = 1;
const SECOND: u8 = 2;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    page: u8,
    #[reg(0x04, when(page = FIRST))]
    low: u8,
    #[reg(0x04, when(page = 0..=SECOND))]
    high: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
