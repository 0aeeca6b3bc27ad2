use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    index: u32,
    #[reg(0x04, window(at = index))]
    stored: u32,
    #[reg(0x08, window(at = index))]
    array: [Virtual<u32>; 2],
    #[reg(0x10, window(at = index), reset = 1, big, read_with = Self::read)]
    hooked: Virtual<u32>,
    #[reg(0x14, w1c, window(at = index))]
    policy: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

impl Card {
    fn read(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        0
    }
}

fn main() {}
