use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Mailbox {
    #[reg(0x00)]
    message: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express)]
struct Edu {
    #[capability(vsec)]
    mailbox: Mailbox,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
