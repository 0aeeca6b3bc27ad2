use vfio_user::{Device, PciDevice, RegisterBlock};

const TEXT: &str = "0x1000";
const NONE: Option<u32> = None;
const PAIR: (u8, u8) = (1, 2);

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00, reset = TEXT)]
    base: u32,
    #[reg(PAIR)]
    size: u32,
}

#[derive(RegisterBlock)]
struct Ring {
    #[reg(0x00)]
    base: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = TEXT)]
#[bar(1: mem32, size = 0x1000)]
#[irq(msix = TEXT, bar = 2)]
#[migrate(version = 2)]
struct Card {
    #[reg(0x00, bar = 1, mask = NONE)]
    masked: u32,
    #[reg(0x04, bar = 1, writable = PAIR)]
    writable: u32,
    #[reg(0x08, bar = 1, stride = TEXT)]
    strided: [u32; 2],
    #[reg(0x20, bar = 1)]
    array: [u32; TEXT],
    #[reg(0x80, bar = 1)]
    #[migrate(since = 2, default = TEXT)]
    later: u32,
    #[block(0x100, bar = 1, stride = TEXT, first = NONE)]
    rings: [Ring; 2],
    #[block(0x200, bar = 1)]
    more: [Ring; NONE],
    #[migrate(max_len = (4, TEXT))]
    lists: Vec<Vec<u8>>,
    #[migrate(since = 2, default = 0)]
    since: u8,
    #[migrate(since = 2, default = TEXT)]
    number: u8,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
