use vfio_user::{Device, PciDevice, Register, Virtual};

#[derive(Clone, Copy, Register)]
#[register(u8, reserved = reject)]
enum Mode {
    Slow = 1,
    Fast,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, ro)]
    mode: Virtual<Mode>,
    #[reg(0x01, ro, reset = 2)]
    fast: Virtual<Mode>,
    #[reg(0x02, ro, reset = 0)]
    off: Virtual<Mode>,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
