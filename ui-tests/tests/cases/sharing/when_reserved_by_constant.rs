use vfio_user::{Device, PciDevice, Register};

const PAGES: u8 = 0x0f;
const LAST: u8 = 0x10;

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Line {
    #[field(bit = 7)]
    latch: bool,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, mask = 0x0f)]
    page: u8,
    #[reg(0x01, when(page = LAST))]
    last: u8,
    #[reg(0x02, mask = PAGES)]
    by_constant: u8,
    #[reg(0x03, when(by_constant = 0x10))]
    behind: u8,
    #[reg(0x04)]
    line: Line,
    #[reg(0x05, when(line = 0x80))]
    latched: u8,
    #[reg(0x06, when(line = 0x40))]
    reserved: u8,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
