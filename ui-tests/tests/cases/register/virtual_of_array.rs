use vfio_user::{Device, PciDevice, Virtual};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    ring: Virtual<[u32; 4]>,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
