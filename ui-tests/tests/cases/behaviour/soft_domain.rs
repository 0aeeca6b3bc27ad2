use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, reset(soft(8) = keep))]
    base: u64,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, reset(soft(8) = keep))]
    a: u32,
    #[reg(0x04, reset(soft = keep))]
    b: u32,
    #[reg(0x08, reset(soft() = keep))]
    c: u32,
    #[reg(0x0c, reset(soft(0)))]
    d: u32,
    #[reg(0x10, reset(soft(0) = lose))]
    e: u32,
    #[reg(0x14, reset(soft(1) = keep, soft(0x1) = keep))]
    f: u32,
    #[reg(0x18, reset(soft(1.5) = keep))]
    g: u32,
    #[reg(0x1c, sticky, reset(soft(1) = keep))]
    h: u32,
    #[block(0x100, reset(soft(256) = keep))]
    queues: [Queue; 2],
    #[block(0x200, reset = 3)]
    spare: Queue,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
