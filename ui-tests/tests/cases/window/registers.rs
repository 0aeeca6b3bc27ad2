use vfio_user::{Device, PciDevice, Register, Virtual};

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Index {
    #[field(bits = 0..=15)]
    offset: u16,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x100)]
struct Card {
    #[reg(0x00)]
    index: u32,
    #[reg(0x04)]
    indices: [u32; 2],
    #[reg(0x0c, ro)]
    computed: Virtual<u32>,
    #[reg(0x10, window(at = indx))]
    misspelt: Virtual<u32>,
    #[reg(0x14, window(at = indices))]
    array: Virtual<u32>,
    #[reg(0x18, window(at = index, len = computed))]
    without_storage: Virtual<u32>,
    #[reg(0x1c, window(at = index.offset))]
    without_fields: Virtual<u32>,
    #[reg(0x20, window(at = private))]
    no_register: Virtual<u32>,
    private: u32,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
