use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100, raw(0x10..0x20))]
struct Card {
    #[reg(0x00)]
    status: u32,
    #[reg(0x18)]
    control: u64,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
