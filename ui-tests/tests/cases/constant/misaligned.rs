use vfio_user::{Device, PciDevice};

mod regs {
    pub const ODD: u32 = 0xa;
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(regs::ODD + 1)]
    isr: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
