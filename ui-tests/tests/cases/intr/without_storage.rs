use vfio_user::{Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
struct Edu {
    #[reg(0x00, w1c)]
    #[intr(status, enable = ier, test = itr)]
    isr: u32,
    #[reg(0x04)]
    ier: Virtual<u32>,
    #[reg(0x08, ro)]
    itr: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
