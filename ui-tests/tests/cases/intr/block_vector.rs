use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00, w1c)]
    #[intr(status, enable = enable, vector = 1)]
    status: u32,
    #[reg(0x04)]
    enable: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
struct Edu {
    #[block(0x000, vector = 6)]
    first: Queue,
    #[block(0x008, vector = 7)]
    second: Queue,
    #[block(0x100, vector_stride = 2)]
    some: [Queue; 4],
    #[block(0x200, vector = 1, vector_stride = 2)]
    others: [Queue; 4],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
