use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x100)]
    none: Vec<u8>,
    #[memory(START..0x200)]
    reversed: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

const START: u32 = 0x300;

fn main() {}
