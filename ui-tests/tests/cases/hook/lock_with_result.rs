use vfio_user::{Cx, Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, lock_with = Self::is_locked)]
    limit: u32,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn is_locked(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        0
    }
}

fn main() {}
