use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, RegisterBlock)]
struct Channel {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08)]
    head: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Ring {
    #[block(0x04)]
    channel: Channel,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Aligned {
    #[block(0x00)]
    channel: Channel,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[block(0x104)]
    ring: Aligned,
    #[block(0xff8)]
    last: Aligned,
}

impl Device for Engine {
    type Event = ();
}

fn main() {}
