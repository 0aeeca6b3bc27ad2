use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[unmodelled(0x100..0x200 = "DEBUG")]
struct Card {
    #[memory(0x180..0x280)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
