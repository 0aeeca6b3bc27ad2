use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x2000)]
#[irq(msix = 16, bar = 0, table = 0x1800)]
struct Edu {
    #[reg(0x10)]
    apart: u32,
    #[reg(0x1ffc)]
    near: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
