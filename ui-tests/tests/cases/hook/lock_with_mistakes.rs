use vfio_user::{Cx, Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x04, ro, lock_with = Self::is_shut)]
    status: u32,
    #[reg(0x08, lock_with)]
    other: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn is_shut(&mut self, _: &mut Cx<'_, Self>) -> bool {
        true
    }
}

fn main() {}
