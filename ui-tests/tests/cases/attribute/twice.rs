use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1, vendor = 2)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 1, intx, intx)]
struct Edu {
    #[reg(0x00, reset = 1, reset = 2)]
    x: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
