use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    control: u8,
    #[reg(0x01, when)]
    flag: u8,
    #[reg(0x02, when = 1)]
    value: u8,
    #[reg(0x03, when())]
    empty: u8,
    #[reg(0x04, when(control))]
    bare: u8,
    #[reg(0x05, when(control = 1, control = 2))]
    second: u8,
    #[reg(0x06, when(control = 1), when(size = 1))]
    twice: u8,
    #[reg(0x07, wehn(control = 1))]
    misspelt: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
