use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu<'a> {
    #[reg(0x00)]
    x: u32,
    memory: &'a [u8],
}

impl Device for Edu<'_> {
    type Event = ();
}

fn main() {}
