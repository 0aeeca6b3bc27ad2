use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100, raw(0x10..0x20, 0x40..0x50))]
struct Card {
    #[block(0x08, stride = 8)]
    queues: [Queue; 2],
    #[memory(0x30..0x48)]
    buffer: [u8; 24],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
