use vfio_user::{Device, PciDevice};

const SIZE: u64 = 0x100;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x80)]
#[bar(1: io, size = SIZE, mirror = 0)]
struct Card {
    #[reg(0x00)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
