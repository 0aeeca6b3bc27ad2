use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, test(exclude = policy))]
    one: u32,
    #[reg(0x04, test(include = all))]
    two: u32,
    #[reg(0x08, test)]
    three: u32,
    #[reg(0x0c, test(exclude = all, exclude = policies))]
    four: u32,
    #[reg(0x10, test(exclude))]
    five: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
