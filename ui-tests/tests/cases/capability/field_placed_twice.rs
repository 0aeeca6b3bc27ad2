use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Mailbox {
    #[reg(0x00)]
    message: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
struct Edu {
    #[capability(vendor)]
    #[block(0x80, bar = config)]
    mailbox: Mailbox,
    #[capability(vendor)]
    #[reg(0x90, bar = config)]
    register: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
