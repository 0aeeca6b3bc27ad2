//! Ports and windows: registers that take the bytes of each access, as many as it has.

use super::{Bus, Refusal, trace};
use crate::device::{Hook, PciDevice};
use crate::layout;
use crate::model::{Hooks, Register, Slot};

impl<D: PciDevice> Bus<'_, '_, D> {
    /// Reads the bytes of `enable`, which are adjacent.
    #[inline(never)]
    pub(super) fn read_bytes(&mut self, register: &Register, slot: Slot, enable: u64) -> u64 {
        let bytes = Bytes::of(enable);
        match register.window() {
            Some(window) => self.read_window(window, (register, slot), bytes),
            None => self.read_port(register, slot, bytes),
        }
    }

    /// Writes the bytes of `enable`, which are adjacent.
    #[inline(never)]
    pub(super) fn write_bytes(&mut self, register: &Register, slot: Slot, value: u64, enable: u64) {
        let bytes = Bytes::of(enable);
        let bits = (value & enable) >> bytes.shift;
        match register.window() {
            Some(window) => self.write_window(window, (register, slot), bytes, bits),
            None => self.write_port(register, slot, bytes, bits),
        }
    }

    fn read_port(&mut self, register: &Register, slot: Slot, bytes: Bytes) -> u64 {
        if !register.has(Hooks::READ_WITH) {
            return 0;
        }
        let Bytes { shift, len } = bytes;
        let bits = self.call(slot, Hook::ReadBytes(len));
        if trace::is_on() {
            trace::port(&self.name(slot), "read", bits, len);
        }
        bits << shift
    }

    fn write_port(&mut self, register: &Register, slot: Slot, bytes: Bytes, bits: u64) {
        if !register.has(Hooks::WRITE_WITH) {
            self.refusals.log_write(Refusal::ReadOnly, bytes.enable(), slot, self.descriptor);
            return;
        }
        let len = bytes.len;
        self.call(slot, Hook::WriteBytes(bits, len));
        if trace::is_on() {
            trace::port(&self.name(slot), "<-", bits, len);
        }
    }
}

/// Adjacent bytes of a register.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    /// The lowest bit of the first byte.
    pub(super) shift: u32,
    pub(super) len: u8,
}

impl Bytes {
    fn of(enable: u64) -> Self {
        let len = u8::try_from(enable.count_ones() / 8).unwrap_or(8);
        Bytes { shift: enable.trailing_zeros(), len }
    }

    pub(super) fn enable(self) -> u64 {
        layout::width_mask(self.len.into()) << self.shift
    }
}
