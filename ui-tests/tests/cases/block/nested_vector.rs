use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, RegisterBlock)]
struct Channel {
    #[reg(0x00, w1c)]
    #[intr(status)]
    status: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Ring {
    #[block(0x00, vector_stride = 1)]
    channels: [Channel; 4],
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 15, bar = 4)]
struct Engine {
    #[block(0x100, vector_stride = 4)]
    rings: [Ring; 4],
}

impl Device for Engine {
    type Event = ();
}

fn main() {}
