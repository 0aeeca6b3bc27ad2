use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[unmodelled(N = "PHYCTL")]
struct Card<const N: u64> {
    #[reg(0x104)]
    control: u32,
}

impl<const N: u64> Device for Card<N> {
    type Event = ();
}

fn main() {}
