use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
struct Cap {
    #[reg(0x02, ro)]
    length: u8,
    #[reg(0x04)]
    data: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
struct Card {
    #[capability(vendor(whole))]
    cap: Cap,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
