use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x100_0000)]
#[unmodelled(bar = 2, 0x0..0x80_0000 = "PFB")]
struct Card {
    #[reg(0x104)]
    control: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
