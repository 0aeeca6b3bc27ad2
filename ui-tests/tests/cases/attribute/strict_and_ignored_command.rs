use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1, ignore_command, strict_command)]
#[bar(0: mem32, size = 0x1000)]
struct Both {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Both {
    type Event = ();
}

fn main() {}
