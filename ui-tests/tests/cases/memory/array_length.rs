use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x200)]
    short: [u8; 0x80],
    #[memory(0x200..0x300)]
    long: [u8; Self::LONG],
}

impl Device for Card {
    type Event = ();
}

impl Card {
    const LONG: usize = 0x101;
}

fn main() {}
