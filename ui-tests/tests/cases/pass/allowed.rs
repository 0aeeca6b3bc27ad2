//! What the author allows is not warned of, nor what another register or a hook takes notice of.

#![forbid(warnings)]

use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000, prefetchable, allow(prefetchable_mem32))]
#[bar(1: io, size = 0x20, allow(express_io,))]
#[irq(intx)]
#[capability(express)]
struct Edu {
    #[reg(0x00, wo, allow(unread))]
    stored: u32,
    #[reg(0x04, wo, on_write = Self::written)]
    observed: u32,
    #[reg(0x08, w1c)]
    #[intr(status, enable = enable, test = test)]
    status: u32,
    #[reg(0x0c, wo)]
    enable: u32,
    #[reg(0x10, wo)]
    test: Virtual<u32>,
    #[reg(0x14, wo)]
    key: u32,
    #[reg(0x18, lock = key)]
    locked: u32,
    #[reg(0x1c, wo)]
    bits: Bits,
    #[block(0x40)]
    queue: Queue,
}

/// Some of it can be read.
#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Bits {
    #[field(bits = 0..=7)]
    command: u8,
    #[field(bit = 31, ro)]
    busy: bool,
}

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, wo, allow(unread))]
    base: u64,
}

/// Conventional PCI has nothing against them.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000, prefetchable)]
#[bar(1: io, size = 0x20)]
struct Conventional {
    #[reg(0x00)]
    scratch: u32,
}

/// Nor has a legacy endpoint.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 3)]
#[bar(0: mem32, size = 0x1000, prefetchable)]
#[bar(1: io, size = 0x20)]
#[capability(express(legacy))]
struct Legacy {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Legacy {
    type Event = ();
}

impl Device for Edu {
    type Event = ();
}

impl Device for Conventional {
    type Event = ();
}

impl Edu {
    fn written(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
        let bits = Bits { command: 1, busy: true };
        self.locked = new + self.stored + u32::from(bits) + u32::from(self.bits.busy);
    }
}

fn main() {
    assert_eq!(Edu::DESCRIPTOR.validate(), Ok(()));
    assert_eq!(Conventional::DESCRIPTOR.validate(), Ok(()));
    assert_eq!(Legacy::DESCRIPTOR.validate(), Ok(()));
}
