use vfio_user::{Device, PciDevice, Virtual};

const MASK: u32 = 0x1_ffff;
const SIZE: u64 = 0x2000;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = SIZE)]
struct Card {
    #[reg(0x00, bar = 0, mask = MASK)]
    index: u32,
    #[reg(0x04, bar = 0, window(at = index))]
    data: Virtual<u32>,
    #[reg(0x00, bar = 1, mask = 0x3fff)]
    other: u32,
    #[reg(0x04, bar = 1, window(at = other))]
    other_data: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
