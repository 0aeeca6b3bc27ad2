use vfio_user::{Cx, Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
struct Uart {
    #[reg(0x00)]
    enable: u8,
    #[reg(0x02, ro)]
    #[intr(status_with = Self::causes, enable = enable, on_composed = Self::identify)]
    identity: u16,
}

impl Device for Uart {
    type Event = ();
}

impl Uart {
    fn causes(&mut self) -> u16 {
        0
    }

    fn identify(&mut self, _: &mut Cx<'_, Self>, _: u16) {}
}

fn main() {}
