use vfio_user::{Device, PciDevice, Register};

#[derive(Clone, Copy, Register)]
#[register(u8)]
struct Enable {
    #[field(bit = 0)]
    rx: bool,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
struct Edu {
    #[reg(0x00, w1c)]
    #[intr(status, enable = ier)]
    isr: u32,
    #[reg(0x04)]
    ier: Enable,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
