use vfio_user::{Device, PciDevice, Register};

#[derive(Clone, Copy, Register)]
#[register(u9)]
enum Mode {
    Off,
    On,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    mode: Mode,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
