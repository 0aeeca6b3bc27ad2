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

#[derive(::vfio_user::PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = DESCRIPTOR)]
#[irq(msix = 1, bar = 2)]
struct Device {
    #[reg(REGISTERS, write_with = hook, on_write = bits_changed)]
    slot: u32,
    #[reg(REGISTERS + 8)]
    bits: [u16; 2],
    #[reg(0, read_with = cx)]
    cx: ::vfio_user::Virtual<u8>,
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

fn bits_changed(_: &mut Device, _: &mut ::vfio_user::Cx<'_, Device>, _: u32, _: u32) {}

fn main() {
    let _ = Device { slot: 0, bits: [0; 2], cx: ::vfio_user::Virtual::new() };
}
