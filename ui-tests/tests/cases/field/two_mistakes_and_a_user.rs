use vfio_user::{Cx, Device, PciDevice, Register};

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 32)]
    a: bool,
    #[field(bits = 3..=2)]
    b: u8,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00, on_write = Self::written)]
    control: Control,
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn written(&mut self, _: &mut Cx<'_, Self>, _old: Control, _new: Control) {}
}


fn main() {}
