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
    #[reg(0x04, select = control.page)]
    few: [u16; 4],
    #[reg(0x06, select = control.page)]
    many: [u16; 5],
    #[reg(0x08, select = control.pages)]
    missing: [u16; 4],
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
