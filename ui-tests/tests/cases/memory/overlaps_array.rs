use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x100, stride = 8)]
    ring: [u32; 4],
    #[memory(0x10c..0x114)]
    buffer: [u8; 8],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
