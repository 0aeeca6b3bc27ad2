use vfio_user::{Cx, Device, PciDevice, Timer};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
struct Edu {
    #[timer(Self::expired)]
    #[migrate(skip)]
    patience: Timer,
}

impl Device for Edu {
    type Event = ();
}

#[allow(dead_code)]
impl Edu {
    fn expired(&mut self, _: &mut Cx<'_, Self>) {}
}

fn main() {}
