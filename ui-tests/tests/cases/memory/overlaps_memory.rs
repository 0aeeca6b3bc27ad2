use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x200)]
    one: Vec<u8>,
    #[memory(END - 1..0x300)]
    other: Box<[u8]>,
}

impl Device for Card {
    type Event = ();
}

const END: u64 = 0x200;

fn main() {}
