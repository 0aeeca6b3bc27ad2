use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x200)]
    words: Vec<u32>,
    #[memory(0x200..0x300)]
    text: String,
    #[memory(0x300..0x310)]
    number: u128,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
