use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu<T: Send + 'static> {
    #[reg(0x00)]
    value: T,
}

impl<T: Send + 'static> Device for Edu<T> {
    type Event = ();
}

fn main() {}
