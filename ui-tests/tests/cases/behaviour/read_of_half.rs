use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, rc)]
    stats: u64,
    #[reg(0x08, w1src, mask = 0xff_0000_0000_00ff)]
    g: u64,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
