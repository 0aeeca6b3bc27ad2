use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(pm(offset = 0x40), vendor(b"card", wirtable = b""), express(root))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
