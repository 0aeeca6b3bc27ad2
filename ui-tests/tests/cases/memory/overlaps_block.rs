use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[block(0x100, stride = 8)]
    queues: [Queue; 4],
    #[memory(0x11a..0x200)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    head: u32,
}

fn main() {}
