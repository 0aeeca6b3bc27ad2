use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x2000)]
#[irq(msix = 4, bar = 0, table = 0x1000, allow(msix_page))]
struct Edu {
    #[reg(0x1030)]
    inside: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
