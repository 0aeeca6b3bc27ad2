use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, mask = 0x30)]
    page: u8,
    #[reg(0x01, when(page = 0x10))]
    some: u8,
    #[reg(0x02, when(page = 0x08))]
    never: u8,
    #[reg(0x03, when(page = 0 | 0x20..=0x40))]
    beyond: u8,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
