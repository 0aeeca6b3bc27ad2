use vfio_user::{Cx, Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, write_with = Self::write, ioeventfd = 1, kick = Self::kicked)]
    bell: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn write(&mut self, _: &mut Cx<'_, Self>, _: u32) {}

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {}
}

fn main() {}
