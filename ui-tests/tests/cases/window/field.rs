use vfio_user::{Device, PciDevice, Register, Virtual};

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Index {
    #[field(bits = 0..=15)]
    offset: u16,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    index: Index,
    #[reg(0x04, window(at = index.ofset, len = index.offset))]
    data: Virtual<u32>,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
