//! The author's items have the names of the helpers in generated code, and fields differ in their
//! case alone.

#![deny(warnings)]

use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Timer};

/// Constants: a local of the same name in generated code would be a pattern.
#[allow(dead_code, non_upper_case_globals)]
mod helpers {
    pub const at: u8 = 0;
    pub const bits: u8 = 0;
    pub const block: u8 = 0;
    pub const bytes: u8 = 0;
    pub const column: u8 = 0;
    pub const count: usize = 3;
    pub const defaults: u8 = 7;
    pub const device: u8 = 0;
    pub const element: u8 = 0;
    pub const elements: u8 = 0;
    pub const from: u8 = 0;
    pub const hook: u8 = 0;
    pub const index: u8 = 0;
    pub const item: u8 = 0;
    pub const key: u8 = 0;
    pub const len: u8 = 0;
    pub const out: u8 = 0;
    pub const part: u8 = 0;
    pub const range: u8 = 0;
    pub const slot: u8 = 0;
    pub const value: u8 = 0;
}
use helpers::*;

/// Modules and functions of the author's.
pub mod registers {}
pub mod timers {}
pub mod blocks {}
pub mod memories {}
pub fn exchange() {}
pub fn value_io() {}

#[derive(Default, RegisterBlock)]
#[block(host = Host)]
#[migrate(version = 2)]
pub struct Queue {
    #[reg(0x00, on_write = count)]
    count: u32,
    #[reg(0x04)]
    #[migrate(since = 2, default = defaults)]
    defaults: u32,
    #[migrate(max_len = 8)]
    column: Vec<u16>,
    elements: [u8; count],
    #[migrate(since = 2, default = defaults)]
    value: u8,
    #[timer(elements)]
    timer: Timer,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
#[allow(non_snake_case)]
pub struct Card {
    #[reg(0x00)]
    state: u32,
    #[reg(0x04)]
    registers: u32,
    #[reg(0x08)]
    r#type: u32,
    #[reg(0x0c)]
    Type: u32,
    #[reg(0x10)]
    TYPE: [u32; count],
    #[block(0x100)]
    blocks: [Queue; count],
    #[memory(0x800..0x900)]
    memories: Vec<u8>,
    #[timer(expired)]
    timers: [Timer; count],
    #[migrate(max_len = (8, 16))]
    elements: Vec<String>,
    #[migrate(since = 2, default = defaults)]
    defaults: u8,
}

impl Host for Card {
    fn count(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32, _: u32) {}
    fn elements(&mut self, _: &mut Cx<'_, Self>, _: usize) {}
}

fn expired(_: &mut Card, _: &mut Cx<'_, Card>, _: usize) {}

impl Device for Card {
    type Event = ();
}

fn main() {
    let _ = Card::default();
}
