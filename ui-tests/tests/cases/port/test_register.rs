use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Card {
    #[reg(0x00, w1c)]
    #[intr(status, test = test)]
    status: u32,
    #[reg(0x04, wo, port, write_with = Self::take)]
    test: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

#[allow(dead_code)]
impl Card {
    fn fill(&mut self, _: &mut Cx<'_, Self>, _: &mut [u8]) {}

    fn take(&mut self, _: &mut Cx<'_, Self>, _: &[u8]) {}
}

fn main() {}
