use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
struct Edu {
    #[reg(0x00)]
    page: u8,
    #[reg(0x04, when(page = 1), wo, kick = Self::kicked)]
    kick: Virtual<u32>,
    #[reg(0x08, select = page, wo, ioeventfd = 1, write_with = Self::rung)]
    doorbells: [Virtual<u32>; 4],
    #[reg(0x1000, watch, when(page = 1))]
    watched: u32,
    #[reg(0x1004, watch, overlay)]
    overlaid: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn kicked(&mut self, _: &mut Cx<'_, Self>) {}

    fn rung(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32) {}
}

fn main() {}
