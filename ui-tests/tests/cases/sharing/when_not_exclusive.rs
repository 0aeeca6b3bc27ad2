use vfio_user::{Device, PciDevice, Register};

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Control {
    #[field(bits = 0..=1)]
    page: u8,
    #[field(bit = 7)]
    dlab: bool,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    control: Control,
    #[reg(0x04, when(control.dlab = 0))]
    low: u8,
    #[reg(0x04, when(control.dlab = 0 | 1))]
    high: u8,
    #[reg(0x08, when(control.dlab = 0))]
    one: u16,
    #[reg(0x09, when(control.page = 1))]
    other: u8,
    #[reg(0x0c, when(control.page = 1..=2))]
    paged: u8,
    #[reg(0x0c)]
    always: u8,
    #[reg(0x10, when(size = 1 | 2))]
    narrow: u16,
    #[reg(0x10, when(size = 2..=8))]
    wide: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
