//! No prelude, and the author's items have the names of ours.

#![no_implicit_prelude]
#![deny(warnings)]

const REGISTERS: u64 = 0x10;
const DESCRIPTOR: u32 = 0x1000;

#[allow(dead_code, non_upper_case_globals)]
mod decoys {
    pub struct Option;
    pub struct Result;
    pub struct Register;
    pub struct Descriptor;
    pub struct Slot;
    pub struct Field;
    pub struct Values;
    pub struct Block;
    pub struct Infallible;
    pub trait HasDriver {}
    pub trait FnOnce {}
    pub struct ComposedInterrupt;
    pub struct Cx;
    pub struct Timer;
    pub trait From {}
    pub trait TryFrom {}
    pub trait RegisterValue {}
    pub trait FieldValue {}
    pub trait RegisterBlock {}
    pub trait BlockHooks {}
    pub fn unpack() {}
    pub fn known() {}
    pub mod core {}
    pub mod std {}
    pub mod rt {}
    pub mod vfio_user {}
    pub fn bits() {}
    pub fn value() {}
    pub const Some: u8 = 0;
    pub const None: u8 = 0;
    pub const Ok: u8 = 0;
    pub const Err: u8 = 0;
}
#[allow(unused_imports)]
use decoys::*;

#[derive(::core::clone::Clone, ::core::marker::Copy, ::vfio_user::Register)]
#[register(u8)]
#[repr(u8)]
enum Mode {
    Some = 0,
    None(u8),
}

#[derive(::core::clone::Clone, ::core::marker::Copy, ::vfio_user::Register)]
#[register(u16, reserved = reject)]
enum Switch {
    Ok,
    Err = 2,
}

#[derive(::core::clone::Clone, ::core::marker::Copy, ::vfio_user::Register)]
#[register(u32)]
struct Bits {
    #[field(bits = 0..=3)]
    bits: Mode,
    #[field(bits = 4..=7, reserved = reject)]
    field: Switch,
    #[field(bit = 31, reset = true)]
    value: bool,
}

#[derive(::core::clone::Clone, ::core::marker::Copy, ::vfio_user::RegisterBlock)]
#[block(host = Host, driver = Bars)]
struct Group {
    #[reg(0x00, on_write = device)]
    bits: Bits,
    #[reg(0x04, read_with = cx, write_with = slot, on_read = index, kick = hook)]
    call: [u16; 2],
}

#[derive(::vfio_user::PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = Origin)]
#[bar(0: mem32, size = DESCRIPTOR)]
#[bar(4: mem64, size = BAR, shared(0..BAR))]
#[irq(msix = 1, bar = 2)]
struct Device {
    #[reg(REGISTERS, write_with = hook, on_write = bits_changed)]
    slot: u32,
    #[reg(REGISTERS + 8)]
    bits: [u16; 2],
    #[reg(0, read_with = cx, kick = call)]
    cx: ::vfio_user::Virtual<u8>,
    #[reg(0x20, w1c)]
    #[intr(status, enable = enable, vector = ZERO)]
    status: Bits,
    #[reg(0x24)]
    enable: u32,
    #[reg(0x28)]
    mode: Mode,
    #[reg(0x2a, wo, write_with = switch)]
    switch: ::vfio_user::Virtual<Switch>,
    #[block(0x100, first = FIRST)]
    call: [Group; 2],
    #[timer(place)]
    timer: ::vfio_user::Timer,
}

const FIRST: u8 = 3;
const BAR: u32 = 0x1000;
const ZERO: u16 = 0;

impl Host for Device {
    fn device(&mut self, _: &mut ::vfio_user::Cx<'_, Self>, _: usize, _: Bits, _: Bits) {}
    fn cx(&mut self, _: &mut ::vfio_user::Cx<'_, Self>, _: usize, _: usize) -> u16 {
        0
    }
    fn slot(&mut self, _: &mut ::vfio_user::Cx<'_, Self>, _: usize, _: usize, _: u16) {}
    fn index(&mut self, _: &mut ::vfio_user::Cx<'_, Self>, _: usize, _: usize, _: u16) {}
    fn hook(&mut self, _: &mut ::vfio_user::Cx<'_, Self>, _: usize, _: usize) {}
}

impl ::vfio_user::Device for Device {
    type Event = ();
}

// Functions with the names of the locals of generated code.
fn hook(device: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>, value: u32) {
    device.slot = value;
}

fn cx(device: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>) -> u8 {
    device.slot as u8
}

fn call(_: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>) {}

fn bits_changed(_: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>, _: u32, _: u32) {}

fn switch(_: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>, _: Switch) {}

fn place(_: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>) {}

fn main() {
    let bits = Bits { bits: Mode::Some, field: Switch::Ok, value: false };
    let group = Group { bits, call: [0; 2] };
    let _ = Device {
        slot: 0,
        bits: [0; 2],
        cx: ::vfio_user::Virtual::new(),
        status: bits,
        enable: 0,
        mode: Mode::Some,
        switch: ::vfio_user::Virtual::new(),
        call: [group; 2],
        timer: ::core::default::Default::default(),
    };
}
