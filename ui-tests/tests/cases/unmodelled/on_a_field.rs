use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]

struct Card {
    #[unmodelled(0x40 = "PHYCTL")]
    #[reg(0x104)]
    control: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
