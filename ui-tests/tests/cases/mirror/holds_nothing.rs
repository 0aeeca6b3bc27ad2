use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100, mirror = 1)]
#[bar(1: mem32, size = 0x100)]
#[bar(2: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    status: u32,
    #[block(0x10, bar = 0)]
    queue: Queue,
    #[memory(0x20..0x30, bar = 0)]
    buffer: [u8; 16],
    #[reg(0x00, bar = 1)]
    control: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
