use vfio_user::{Cx, Device, PciDevice, Timer};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[timer(Self::expired)]
    #[timer(Self::expired)]
    patience: Timer,
}

impl Device for Edu {
    type Event = ();
}

#[allow(dead_code)]
impl Edu {
    fn expired(&mut self, _: &mut Cx<'_, Self>) {}
    fn of_index(&mut self, _: &mut Cx<'_, Self>, _: usize) {}
}

fn main() {
    let _ = Timer::default();
}
