use vfio_user::{Device, PciDevice};

const LAST: u16 = 8;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
struct Edu {
    #[reg(0x00, w1c)]
    #[intr(status, vector = LAST)]
    isr: u32,
    #[reg(0x04)]
    ier: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
