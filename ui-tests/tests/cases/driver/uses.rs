use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};

#[derive(Default, RegisterBlock)]
#[block(driver = QueueDriver)]
struct Queue {
    #[reg(0x00, driver = peek)]
    tail: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00, driver = none)]
    control: u32,
    #[reg(0x04, wo, driver = get)]
    command: u32,
    #[reg(0x08, rc, driver = get)]
    errors: u32,
    #[reg(0x0c, ro, port, read_with = Self::pop, driver = take)]
    fifo: Virtual<u32>,
    #[block(0x20, driver = OtherDriver)]
    queue: Queue,
}

impl Device for Card {
    type Event = ();
}

impl Card {
    fn pop(&mut self, _: &mut Cx<'_, Self>, _: &mut [u8]) {}
}

fn main() {}
