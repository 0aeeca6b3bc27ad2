use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x200)]
    #[migrate(max_len = 0x100)]
    one: Vec<u8>,
    #[memory(0x200..0x300)]
    #[migrate(with = packed)]
    two: Box<[u8]>,
    #[memory(0x300..0x400)]
    #[migrate(grown_from = 0x80)]
    three: [u8; 0x100],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
