use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[irq(msi = 4)]
#[capability(pm(at = 0x60), msi(at = 0x5c))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
