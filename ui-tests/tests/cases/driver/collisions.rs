use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Default, RegisterBlock)]
#[block(driver = QueueDriver)]
struct Queue {
    #[reg(0x00)]
    tail: u32,
    #[reg(0x04, ro)]
    update_tail: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    control: u32,
    #[reg(0x04, ro)]
    set_control: u32,
    #[reg(0x08, rc)]
    errors: u32,
    #[reg(0x0c, ro)]
    take_errors: u32,
    #[reg(0x10)]
    bars: u32,
    #[block(0x20)]
    clear_causes: Queue,
    #[reg(0x30, w1c)]
    causes: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
