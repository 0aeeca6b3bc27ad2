use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    tail: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[block(0x20, stride = 0x10)]
    queues: [Queue; 2],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
