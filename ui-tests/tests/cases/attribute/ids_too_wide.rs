use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1_0000, device = 0x1_cafe, class = 0x1_020000, revision = 0x100, subsystem = (0x1_1234, 0x1_0001))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
