use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x100, access = 4)]
struct Card {
    #[reg(0x00)]
    low: u16,
    #[reg(0x02, driver = skip)]
    high: u16,
    #[reg(0x08)]
    wide: u64,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
