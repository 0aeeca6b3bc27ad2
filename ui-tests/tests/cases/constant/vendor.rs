use vfio_user::{Device, PciDevice};

const VENDOR: u16 = 0xffff;
const CLASS: u32 = 0x1_020000;

#[derive(PciDevice)]
#[pci(vendor = VENDOR, device = 1, class = CLASS)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
