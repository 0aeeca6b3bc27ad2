//! Generated code passes the strictest lints, without an `allow` that `forbid` would refuse.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    dead_code,
    clippy::all,
    clippy::pedantic,
    unused_qualifications,
    unreachable_pub,
    trivial_casts,
    trivial_numeric_casts,
    single_use_lifetimes,
    unused_results
)]

use vfio_user::{
    Bar, BarKind, Capability, Cx, Descriptor, Device, Hook, Hooks, Ids, MsixLayout, PciDevice,
    Policy, Register, Slot, Unmapped, Virtual,
};

const BASE: u64 = 0x10;
const SMALL: u8 = 0x4;
const SIGNED: i32 = 0x20;

/// Names that would make qualifications unused, were they the author's.
pub type Names = (
    Bar,
    BarKind,
    Capability,
    Descriptor,
    Hook,
    Hooks,
    Ids,
    MsixLayout,
    Policy,
    Register,
    Slot,
    Unmapped,
);

/// A device.
#[derive(Clone, Debug, Default, PartialEq, PciDevice)]
#[pci(vendor = 0x1234, device = 1, class = 0x00_ff00)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx, msi = 1, msix = 2, bar = 1, table = 0)]
#[capability(pm, express)]
pub struct Strict {
    #[reg(0, ro, reset = 1)]
    id: Virtual<u32>,
    #[reg(BASE + 4, on_write = Self::written)]
    stored: u32,
    #[reg(SMALL, wo, write_with = Self::write)]
    seen_by_the_bus_only: Virtual<u32>,
    #[reg(SIGNED, read_with = Self::read)]
    ring: [u16; 4],
}

impl Device for Strict {
    type Event = ();
}

impl Strict {
    fn written(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
        self.stored = new;
    }

    fn write(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.stored = value;
    }

    fn read(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u16 {
        self.ring[index]
    }
}

fn main() {
    assert_eq!(Strict::DESCRIPTOR.validate(), Ok(()));
}
