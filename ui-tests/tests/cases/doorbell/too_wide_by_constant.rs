use vfio_user::{Cx, Device, PciDevice};

const GO: u16 = 0x1ff;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, write_with = Self::write, ioeventfd = GO)]
    bell: u8,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn write(&mut self, _: &mut Cx<'_, Self>, _: u8) {}
}

fn main() {}
