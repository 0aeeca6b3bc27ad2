use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size)]
struct Edu {
    #[reg(0x00, reset)]
    x: u32,
    #[reg(0x04, mask(0xff))]
    y: u32,
    #[reg(0x08, on_read = 5)]
    z: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
