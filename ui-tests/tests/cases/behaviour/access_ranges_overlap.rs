use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000, access(0..0x80: 4, 0x40..0x100: 4..=8))]
struct Edu {
    #[reg(0x00)]
    f: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
