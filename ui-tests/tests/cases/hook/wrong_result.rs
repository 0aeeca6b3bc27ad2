use vfio_user::{Cx, Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, read_with = Self::get)]
    x: u16,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn get(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        0
    }
}

fn main() {}
