use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Mailbox {
    #[reg(0x00)]
    message: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(pm(at = 0x50))]
struct Edu {
    #[capability(vendor(at = 0x4c))]
    mailbox: Mailbox,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
