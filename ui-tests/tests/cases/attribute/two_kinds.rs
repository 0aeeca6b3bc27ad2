use vfio_user::{Device, PciDevice, Register, RegisterBlock};

#[derive(PciDevice, RegisterBlock)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

#[derive(Clone, Copy, Register, RegisterBlock)]
#[register(u32)]
struct Bits {
    #[reg(0x00)]
    #[field(bit = 0)]
    status: u32,
}

fn main() {}
