use vfio_user::{Device, PciDevice, Register};

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Status {
    #[field(bit = 0)]
    busy: bool,
    #[field(bit = 1, w1c)]
    done: bool,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, ro, overlay)]
    status: Status,
    #[reg(0x00, wo, overlay, allow(unread))]
    command: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
