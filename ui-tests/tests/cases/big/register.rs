use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x2000))]
#[bar(1: mem32, size = 0x4000, big, shared(0x1000..0x2000))]
struct Card {
    #[reg(0x00, big)]
    byte: u8,
    #[reg(0x04, big, port, ro, read_with = Self::read)]
    port: Virtual<u32>,
    #[reg(0x08, big, wo, ioeventfd = 1, write_with = Self::ring)]
    bell: Virtual<u32>,
    #[reg(0x1000, big, watch)]
    tail: u32,
    #[reg(0x1000, bar = 1, watch)]
    other_tail: u32,
    #[reg(0x08, bar = 1, wo, ioeventfd = 1, write_with = Self::ring)]
    other_bell: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

impl Card {
    fn read(&mut self, _: &mut Cx<'_, Self>, _: &mut [u8]) {}
    fn ring(&mut self, _: &mut Cx<'_, Self>, _: u32) {}
}

fn main() {}
