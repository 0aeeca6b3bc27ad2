use vfio_user::{Device, PciDevice};

const SPEED: u8 = 0;
const WIDTH: u8 = 6;
const PAYLOAD: u16 = 64;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express(speed = SPEED, width = WIDTH, payload = PAYLOAD))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
