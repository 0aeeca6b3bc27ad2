use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, ro, overlay)]
    status: u32,
    #[reg(0x02, rc, overlay)]
    events: u16,
    #[reg(0x04, ro)]
    causes: u32,
    #[reg(0x04, wo, overlay, allow(unread))]
    clear: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
