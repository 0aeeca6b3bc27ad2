use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, lock = 5)]
    f: u32,
    #[reg(0x04, lock = ctrl.0)]
    g: u32,
    #[reg(0x08, lock)]
    h: u32,
    #[reg(0x0c, lock = Self::is_locked)]
    i: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
