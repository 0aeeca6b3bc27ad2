use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Ring {
    #[reg(0x00)]
    size: u16,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    index: u8,
    #[block(0x10, select = index)]
    single: Ring,
    #[block(0x20, select = indx)]
    misspelt: [Ring; 2],
    #[block(0x30, select = index, stride = 8)]
    spaced: [Ring; 2],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
