use vfio_user::{Device, PciDevice, Register};

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0, reset = 1)]
    enable: bool,
    #[field(bits = 4..=7)]
    count: u8,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, reset = 0x8000_0001)]
    control: Control,
}

impl Device for Edu {
    type Event = ();
}


fn main() {}
