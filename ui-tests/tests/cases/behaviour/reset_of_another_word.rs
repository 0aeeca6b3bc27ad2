use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, reset(flr = lose))]
    f: u32,
    #[reg(0x04, reset(device = keep))]
    g: u32,
    #[reg(0x08, reset())]
    h: u32,
    #[reg(0x0c, reset(flr))]
    i: u32,
    #[reg(0x10, reset(flr = keep), reset(flr = keep))]
    j: u32,
    #[reg(0x14, reset(flr(0) = keep))]
    k: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
