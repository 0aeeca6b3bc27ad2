use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = ChannelHost)]
struct Channel {
    #[reg(0x00, wo, write_with = rung)]
    doorbell: Virtual<u32>,
}

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = QueueHost, levels = 2)]
struct Queue {
    #[reg(0x00, wo, write_with = kicked)]
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
    #[block(0x200)]
    queue: Queue,
}

impl Device for Engine {
    type Event = ();
}

impl ChannelHost for Engine {
    fn rung(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32) {}
}

impl QueueHost for Engine {
    fn kicked(&mut self, _: &mut Cx<'_, Self>, _: [usize; 2], _: u32) {}
}

fn main() {}
