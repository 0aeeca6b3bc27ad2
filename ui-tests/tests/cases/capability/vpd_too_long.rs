use vfio_user::{Device, PciDevice};

const DATA: &[u8] = &[0; 0x8001];

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(vpd(DATA))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
