use vfio_user::{Device, PciDevice, RegisterBlock, Virtual};

#[derive(Default, RegisterBlock)]
struct Own {
    #[reg(0x00)]
    index: u32,
    #[reg(0x04, window(at = index))]
    data: Virtual<u32>,
}

#[derive(Default, RegisterBlock)]
struct Other {
    #[reg(0x00)]
    index: u32,
    #[reg(0x04, window(at = index, bar = 3))]
    data: Virtual<u32>,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[block(0x00)]
    fine: Own,
    #[capability(vendor)]
    in_config: Own,
    #[block(0x10)]
    undeclared: Other,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
