use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, when(itself = 1))]
    itself: u8,
    #[reg(0x01, when(second = 0))]
    first: u8,
    #[reg(0x02, when(third = 0))]
    second: u8,
    #[reg(0x03, when(first = 0))]
    third: u8,
    #[reg(0x04, when(first = 1))]
    beside: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
