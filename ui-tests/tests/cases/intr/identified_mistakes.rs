use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
struct Uart {
    #[reg(0x00)]
    enable: u8,
    #[reg(0x01, ro)]
    #[intr(status, status_with = Self::causes, enable = enable)]
    both: u8,
    #[reg(0x02, ro)]
    #[intr(status_with = Self::causes)]
    alone: u8,
    #[reg(0x04, ro)]
    #[intr(status_with = Self::causes, enable = enable, test = test)]
    tested: u8,
    #[reg(0x05, wo)]
    test: Virtual<u8>,
    #[reg(0x06, ro)]
    #[intr(status_with = Self::causes, enable = enable, mask = mask)]
    masked: u8,
    #[reg(0x08)]
    mask: u16,
    #[reg(0x0a, ro, on_composed = Self::identify)]
    elsewhere: u8,
    #[reg(0x10, ro)]
    #[intr(status_with = Self::causes, enable = enable)]
    array: [u8; 2],
}

impl Device for Uart {
    type Event = ();
}

impl Uart {
    fn causes(&self) -> u8 {
        0
    }

    fn identify(&mut self, _: &mut Cx<'_, Self>, _: u8) {}
}

fn main() {}
