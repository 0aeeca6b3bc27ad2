use vfio_user::{Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    index: u32,
    #[reg(0x04, window)]
    bare: Virtual<u32>,
    #[reg(0x08, window(step = 4))]
    without_index: Virtual<u32>,
    #[reg(0x0c, window(at = index, stride = 4))]
    unknown: Virtual<u32>,
    #[reg(0x10, window(at = 0x10))]
    number: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
