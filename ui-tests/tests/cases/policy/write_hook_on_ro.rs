use vfio_user::{Cx, Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, ro, on_write = Self::stored)]
    id: u32,
    #[reg(0x04, ro, write_with = Self::put)]
    ver: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn get(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        0
    }

    fn put(&mut self, _: &mut Cx<'_, Self>, _: u32) {}

    fn stored(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {}
}

fn main() {}
