use vfio_user::{Device, PciDevice};

const SPEED: u32 = 3;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express(speed = SPEED, payload = 256))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
