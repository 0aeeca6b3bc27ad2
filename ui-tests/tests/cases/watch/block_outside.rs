use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, watch)]
    head: u64,
    #[reg(0x08, watch)]
    tail: u64,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x2000))]
struct Edu {
    #[block(0x0000, stride = 0x100)]
    queues: [Queue; 4],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
