use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08)]
    size: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 1)]
struct Edu {
    #[block(0x48, bar = config)]
    queue: Queue,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
