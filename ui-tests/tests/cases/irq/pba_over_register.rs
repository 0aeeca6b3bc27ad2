use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x4000)]
#[irq(msix = 16, bar = 0, table = 0x1000, pba = 0x2100)]
struct Edu {
    #[reg(0x2100)]
    dma: u64,
    #[reg(0x10)]
    x: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
