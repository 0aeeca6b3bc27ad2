use vfio_user::{Device, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = ChannelHost, levels = 2)]
struct Channel {
    #[reg(0x00, wo, write_with = rung)]
    doorbell: Virtual<u32>,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Ring {
    #[block(0x00)]
    channels: [Channel; 2],
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[block(0x100)]
    rings: [Ring; 4],
}

impl Device for Engine {
    type Event = ();
}

fn main() {}
