use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Mailbox {
    #[reg(0x00)]
    message: u32,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Wide {
    #[reg(0x00)]
    word: u64,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
struct Edu {
    #[capability(vendor(at = 0x44))]
    wide: Wide,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
