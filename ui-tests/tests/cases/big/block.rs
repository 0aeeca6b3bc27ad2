use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, watch)]
    tail: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x4000, big, shared(0x1000..0x2000))]
struct Card {
    #[block(0x1000)]
    queue: Queue,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
