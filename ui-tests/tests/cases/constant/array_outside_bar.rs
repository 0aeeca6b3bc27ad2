use vfio_user::{Device, PciDevice};

const QUEUES: usize = 64;

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(2: mem32, size = 0x100)]
struct Edu {
    #[reg(0x80)]
    ring: [u32; QUEUES],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
