use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    index: u8,
    #[reg(0x01)]
    indices: [u8; 2],
    #[reg(0x04, select = index)]
    single: u16,
    #[reg(0x08, select = idnex)]
    misspelt: [u16; 4],
    #[reg(0x0c, select = indices)]
    by_array: [u16; 4],
    #[reg(0x10, select = index, stride = 4)]
    spaced: [u16; 4],
    #[reg(0x14, select = 3)]
    by_number: [u16; 4],
    #[reg(0x20, select = index)]
    many: [u16; 257],
    // What a wrong selector would share bytes with is no second mistake.
    #[reg(0xff8, select = "index")]
    by_text: [u16; 8],
    #[reg(0xffa, when(index = 1))]
    beside: u16,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
