use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(msi = 1)]
#[capability(express(maskable), msi(flr), pm(address_32))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
