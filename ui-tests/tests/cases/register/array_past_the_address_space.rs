use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem64, size = 0x1000)]
struct Edu {
    #[reg(0x10, stride = 0x4000_0000_0000_0000)]
    ring: [u32; 8],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
