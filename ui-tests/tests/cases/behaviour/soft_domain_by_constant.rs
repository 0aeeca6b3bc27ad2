use vfio_user::{Device, PciDevice, RegisterBlock};

const FAR: u32 = 9;

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, reset(soft(FAR) = keep))]
    base: u64,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, reset(flr = keep, soft(FAR - 1) = keep))]
    f: u32,
    #[block(0x100, reset(soft(FAR) = keep))]
    queues: [Queue; 2],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
