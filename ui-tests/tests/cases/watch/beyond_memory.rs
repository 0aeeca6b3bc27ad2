use vfio_user::{Cx, Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x2000))]
#[bar(1: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x1000, watch, kick = Self::kicked, wide(commit = low))]
    f: u64,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn kicked(&mut self, _: &mut Cx<'_, Self>) {}
}

fn main() {}
