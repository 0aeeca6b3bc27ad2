use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00)]
    size: u16,
    #[reg(0x02, wo, kick = rung)]
    doorbell: Virtual<u16>,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Ring {
    #[reg(0x00)]
    size: u16,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    index: u8,
    #[block(0x10, select = index)]
    queues: [Queue; 2],
    #[block(0x20, select = index)]
    rings: [Ring; MANY],
    #[block(0x30, select = index)]
    fits: [Ring; 256],
}

const MANY: usize = 300;

impl Device for Edu {
    type Event = ();
}

impl QueueHost for Edu {
    fn rung(&mut self, _: &mut Cx<'_, Self>, _: usize) {}
}

fn main() {}
