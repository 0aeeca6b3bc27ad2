use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x4000, raw(0x80..0x100, 0xf0..0x110, 0x1ff0..0x2010), shared(0x2000..0x3000))]
struct Card {
    #[reg(0x00)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
