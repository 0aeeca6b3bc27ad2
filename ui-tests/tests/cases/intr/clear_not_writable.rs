use vfio_user::{Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 1)]
struct Uart {
    #[reg(0x00, ro)]
    #[intr(status, test = itr, clear = icr)]
    isr: u32,
    #[reg(0x04, ro)]
    itr: Virtual<u32>,
    #[reg(0x08, ro)]
    icr: Virtual<u32>,
}

impl Device for Uart {
    type Event = ();
}

fn main() {}
