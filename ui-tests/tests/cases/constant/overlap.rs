use vfio_user::{Device, PciDevice};

mod regs {
    pub const STATUS: u64 = 0x20;
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x20)]
    ctrl: u32,
    #[reg(regs::STATUS + 2)]
    status: u16,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
