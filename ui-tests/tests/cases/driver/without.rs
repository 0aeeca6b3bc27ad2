use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, driver = take)]
    tail: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00, driver = skip)]
    control: u32,
    #[block(0x20, driver = skip)]
    queue: Queue,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
