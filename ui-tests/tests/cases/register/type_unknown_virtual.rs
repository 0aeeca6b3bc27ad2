use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Clone, Copy)]
struct Id(u32);

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, read_with = Self::id)]
    id: Virtual<Id>,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn id(&mut self, _: &mut Cx<'_, Self>) -> Id {
        Id(0)
    }
}

fn main() {}
