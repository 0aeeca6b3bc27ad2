use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    control: u8,
    #[reg(0x04, when(control = 0x100))]
    never: u8,
    #[reg(0x05, when(control = 0 | 9..=7))]
    reversed: u8,
    #[reg(0x06, when(control = 1..))]
    open: u8,
    #[reg(0x07, when(control = _))]
    any: u8,
    #[reg(0x08, when(control = "one"))]
    text: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
