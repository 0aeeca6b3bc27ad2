use vfio_user::{Cx, Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[memory(0x100..0x200, on_write = Self::touched)]
    buffer: Vec<u8>,
}

impl Device for Card {
    type Event = ();
}

impl Card {
    fn touched(&mut self, _: &mut Cx<'_, Self>, _: u32) {}
}

fn main() {}
