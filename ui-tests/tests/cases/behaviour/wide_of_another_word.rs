use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, wide(commit = first))]
    f: u64,
    #[reg(0x08, wide(comit = low))]
    g: u64,
    #[reg(0x10, wide(commit = hihg))]
    h: u64,
    #[reg(0x18, wide(commit = high, commit = low))]
    i: u64,
    #[reg(0x20, wide(commit = 1))]
    j: u64,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
