use vfio_user::{Cx, Device, PciDevice};

#[derive(Clone, Copy)]
struct Id(u32);

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, on_write = Self::stored)]
    ids: [Id; 2],
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn stored(&mut self, _: &mut Cx<'_, Self>, _: usize, _: Id, _: Id) {}
}

fn main() {}
