use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, port, reset = 1, mask = 0xff, sticky, wide, ioeventfd = 1, read_with = Self::fill,
          write_with = Self::take)]
    value: Virtual<u64>,
    #[reg(0x08, port, w1c, read_with = Self::fill, write_with = Self::take)]
    policy: Virtual<u32>,
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
