use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: io, size = 0x20, allow(unread, expres_io))]
#[capability(express)]
struct Edu {
    #[reg(0x00, wo, allow(unred))]
    one: u32,
    #[reg(0x04, wo, allow())]
    two: u32,
    #[reg(0x08, wo, allow)]
    three: u32,
    #[reg(0x0c, wo, allow(unread = true))]
    four: u32,
    #[reg(0x10, wo, allow(unread, unread))]
    five: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
