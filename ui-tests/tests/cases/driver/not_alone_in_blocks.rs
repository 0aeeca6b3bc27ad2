use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(driver = ChannelDriver)]
struct Channel {
    #[reg(0x00)]
    head: u32,
    #[reg(0x04)]
    tail: u16,
    #[reg(0x06, driver = skip)]
    credits: u16,
}

#[derive(Default, RegisterBlock)]
#[block(driver = RingDriver)]
struct Ring {
    #[reg(0x00)]
    base: u64,
    #[block(0x08)]
    channels: [Channel; 2],
}

// `tail` is accessible in the first elements of `several` alone.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x1000, access = 4, access(0..0x20: 1..=4))]
#[bar(1: mem32, size = 0x1000, access = 8)]
struct Card {
    #[block(0x000)]
    single: Channel,
    #[block(0x008)]
    several: [Channel; 16],
    #[block(0x100, driver = skip)]
    hidden: Ring,
    #[block(0x200, bar = 1)]
    rings: [Ring; 2],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
