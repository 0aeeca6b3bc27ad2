use vfio_user::{Device, PciDevice};

const MASK: u32 = 0x1ff;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, mask = MASK, writable = 0x0f)]
    irq: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
