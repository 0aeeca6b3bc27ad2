use vfio_user::{Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    control: u8,
    #[reg(0x01)]
    pages: [u8; 2],
    #[reg(0x03)]
    lost: Virtual<u8>,
    #[reg(0x04, when(contrl = 1))]
    misspelt: u8,
    #[reg(0x05, when(control.page = 1))]
    of_integer: u8,
    #[reg(0x06, when(pages = 1))]
    of_array: u8,
    #[reg(0x07, when(lost = 1))]
    of_nothing: u8,
    #[reg(0x08, when(private = 1))]
    of_private: u8,
    private: u8,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
