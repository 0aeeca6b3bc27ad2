use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Trivial {
    #[reg(0x00, ro, reset = 0x7472_6976)]
    id: Virtual<u32>,
    #[reg(0x04)]
    scratch: u32,
    #[reg(0x08, w1c)]
    irq_status: u32,
    #[reg(0x0c, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    counter: u64,
}

impl Device for Trivial {
    type Event = ();
}

impl Trivial {
    fn raise(&mut self, cx: &mut Cx<'_, Self>, bits: u32) {
        self.irq_status |= bits;
        self.counter += 1;
        cx.irq(0).raise();
    }
}

fn main() {
    assert_eq!(Trivial::DESCRIPTOR.validate(), Ok(()));
    assert_eq!(Trivial::DESCRIPTOR.name(), "trivial");
    assert_eq!(Trivial::DESCRIPTOR.registers()[0].reset(), Some(0x7472_6976));
    assert_eq!(Trivial::DESCRIPTOR.msix_layout().map(|msix| msix.bar), Some(1));
}
