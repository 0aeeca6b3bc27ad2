use vfio_user::{Cx, Device, PciDevice, Register, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, port, read_with = Self::fill, write_with = Self::take)]
    stored: u32,
    #[reg(0x04, port, read_with = Self::fill, write_with = Self::take)]
    named: Virtual<Named>,
}

impl Device for Card {
    type Event = ();
}

#[allow(dead_code)]
#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Named {
    #[field(bit = 0)]
    bit: bool,
}

impl Card {
    fn fill(&mut self, _: &mut Cx<'_, Self>, _: &mut [u8]) {}

    fn take(&mut self, _: &mut Cx<'_, Self>, _: &[u8]) {}
}

fn main() {}
