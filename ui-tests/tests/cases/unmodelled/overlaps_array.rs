use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[unmodelled(0x48 = "PHYCTL")]
struct Card {
    #[reg(0x40)]
    ring: [u16; 8],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
