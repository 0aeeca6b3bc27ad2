use vfio_user::{Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    index: u32,
    #[reg(0x04, window(at = index, bar = 2))]
    undeclared: Virtual<u32>,
    #[reg(0x08, window(at = index, bar = 6))]
    too_large: Virtual<u32>,
    #[reg(0x40, bar = config, window(at = index))]
    in_config: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
