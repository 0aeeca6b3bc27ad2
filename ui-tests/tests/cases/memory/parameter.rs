use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card<const N: u64> {
    #[memory(0x100..N)]
    buffer: Vec<u8>,
}

impl<const N: u64> Device for Card<N> {
    type Event = ();
}

fn main() {}
