use vfio_user::{Cx, Device, PciDevice};

const AT: u32 = 0x2000;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x2000))]
#[bar(1: mem32, size = 0x1000)]
struct Edu {
    #[reg(AT, watch)]
    f: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn kicked(&mut self, _: &mut Cx<'_, Self>) {}
}

fn main() {}
