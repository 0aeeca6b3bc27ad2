use vfio_user::{Device, PciDevice, Register, Virtual};

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Index {
    #[field(bits = 0..=30)]
    offset: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = 0x2000)]
struct Card {
    #[reg(0x00, bar = 0, mask = 0x1fff)]
    index: u32,
    #[reg(0x04, bar = 0, window(at = index))]
    too_far: Virtual<u32>,
    #[reg(0x08, bar = 0, window(at = index, bar = 1))]
    near: Virtual<u32>,
    #[reg(0x10, bar = 0)]
    whole: u32,
    #[reg(0x14, bar = 0, window(at = whole))]
    any: Virtual<u32>,
    #[reg(0x18, bar = 0)]
    field: Index,
    #[reg(0x1c, bar = 0, window(at = field.offset))]
    by_field: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
