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
    #[block(0x10, stride = 8)]
    channels: [Channel; 2],
}

#[derive(Clone, Copy, RegisterBlock)]
struct Wide {
    #[block(0x10, stride = 0x10)]
    channels: [Channel; 2],
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[block(0x100, stride = 0x20)]
    rings: [Wide; 4],
}

impl Device for Engine {
    type Event = ();
}

fn main() {}
