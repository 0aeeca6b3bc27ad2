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

use vfio_user::declaration::{Bar, BarKind, Block, Capability, Descriptor, Field, FieldValue, Hooks, Ids, ComposedInterrupt, MsixLayout, Policy, Register, RegisterValue, Slot, UnknownValue, Unmapped, Values};
use vfio_user::{BlockHooks, Cx, Device, Hook, PciDevice, Register, RegisterBlock, Virtual};

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
    Block,
    Field,
    ComposedInterrupt,
    UnknownValue,
    Values,
);

/// Names of traits that would do the same.
pub trait RegisterFlags<T: Device>: RegisterValue + FieldValue + BlockHooks<T> {}

/// How fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[repr(u8)]
pub enum Speed {
    /// Not at all.
    #[default]
    Off = 0,
    /// Somehow.
    Other(u8),
}

/// What for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
pub enum Kind {
    /// This.
    #[default]
    One,
    /// That.
    Other = 3,
}

/// Where a register is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16, reserved = reject)]
pub enum Place {
    /// Here.
    #[default]
    Here = 1,
    /// There.
    There = SMALL as isize,
}

/// Named bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
pub struct Control {
    /// How fast.
    #[field(bits = 0..=7)]
    speed: Speed,
    #[field(bits = 8..=9, reserved = reject)]
    kind: Kind,
    #[field(bits = 29..=31, ro, volatile, reset = SMALL)]
    ready: u8,
}

/// A queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
#[block(host = QueueHost, driver = QueueDriver)]
pub struct Queue {
    #[reg(0)]
    control: Control,
    #[reg(4, wo, write_with = kick)]
    kicks: [Virtual<u16>; 2],
    #[reg(8, read_with = level, on_read = seen, on_write = set)]
    level: u32,
    #[reg(12, w1c)]
    #[intr(status, enable = enable, test = test, vector = SMALL_VECTOR)]
    status: u8,
    #[reg(13)]
    enable: u8,
    #[reg(14, wo)]
    test: Virtual<u8>,
}

/// A block without hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
#[block(driver = TimerDriver)]
pub struct Timer {
    #[reg(0)]
    value: u32,
}

/// A device.
#[derive(Clone, Debug, Default, PartialEq, PciDevice)]
#[pci(vendor = 0x1234, device = 1, class = 0x00_ff00, driver = StrictDriver)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x2000, shared(0x1000..SIGNED_END))]
#[bar(3: mem32, size = 0x1000, shared)]
#[irq(intx, msi = 1, msix = 2, bar = 1, table = 0)]
#[capability(pm(at = SIGNED_END - 0x1f80), express(integrated), vendor(b"card", writable = &[SMALL]))]
#[capability(serial = BASE, vsec(b"", id = 1), dvsec(b"", vendor = 1, id = SMALL_ID), msi)]
pub struct Strict {
    #[reg(0, ro, reset = 1)]
    id: Virtual<u32>,
    #[reg(BASE + 4, on_write = Self::written)]
    stored: u32,
    #[reg(SMALL, wo, write_with = Self::write, ioeventfd = SIGNED)]
    seen_by_the_bus_only: Virtual<u32>,
    #[reg(SIGNED, read_with = Self::read)]
    ring: [u16; 4],
    #[reg(0x30, w1c)]
    #[intr(status, enable = enable, test = test, vector = SMALL_VECTOR)]
    status: u32,
    #[reg(0x34)]
    enable: u32,
    #[reg(0x38, wo)]
    test: Virtual<u32>,
    #[reg(SIGNED_END - 8, bar = 2, watch, reset = 0xffff_ffff_ffff_ffff)]
    watched: Virtual<u64>,
    #[reg(0x40, wo, kick = Self::kicked)]
    kicks: [Virtual<u16>; 2],
    #[reg(0x44, on_write = Self::moved, test(exclude = policies))]
    place: Place,
    #[reg(0xc0, bar = config)]
    window: Control,
    #[block(BASE + 0xf0, stride = SIGNED, first = SMALL)]
    queues: [Queue; 4],
    #[block(0x200)]
    timer: Timer,
}

const SMALL_VECTOR: u8 = 1;
const SMALL_ID: u16 = 1;
const SIGNED_END: i32 = 0x2000;

impl QueueHost for Strict {
    fn kick(&mut self, _: &mut Cx<'_, Self>, index: usize, element: usize, value: u16) {
        self.ring[(index + element) % 4] = value;
    }

    fn level(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u32 {
        self.queues[index % 4].level
    }

    fn seen(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32) {}

    fn set(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32, _: u32) {}
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

    fn moved(&mut self, _: &mut Cx<'_, Self>, _: Place, new: Place) {
        self.place = new;
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>, index: usize) {
        self.ring[index] = 1;
    }

    fn read(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u16 {
        self.ring[index]
    }
}

fn main() {
    assert_eq!(Strict::DESCRIPTOR.validate(), Ok(()));
}
