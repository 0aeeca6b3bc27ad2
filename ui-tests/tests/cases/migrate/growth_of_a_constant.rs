use vfio_user::{Device, PciDevice, RegisterBlock};

const COUNT: usize = 4;

#[derive(Default, RegisterBlock)]
#[migrate(version = 2)]
struct Queue {
    #[reg(0x00)]
    #[migrate(grown_from = 5)]
    base: [u64; COUNT],
    #[migrate(grown_from = 6)]
    done: [u8; COUNT],
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct Card {
    #[reg(0x00)]
    #[migrate(grown_from(2, 4))]
    table: [u32; COUNT],
    #[block(0x100)]
    #[migrate(grown_from = 7)]
    queues: [Queue; COUNT],
    #[migrate(grown_from = 8)]
    done: [u8; COUNT + 1],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
