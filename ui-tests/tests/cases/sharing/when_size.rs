use vfio_user::{Device, PciDevice};

const BYTE: u64 = 1;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, when(size = 3))]
    odd: u8,
    #[reg(0x01, when(size = 4..=2))]
    reversed: u8,
    #[reg(0x02, when(size = BYTE))]
    constant: u8,
    #[reg(0x03, when(size = 1, size = 2))]
    twice: u8,
    #[reg(0x40, bar = config, when(size = 1))]
    configured: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
