//! Ports: registers whose hooks receive the bytes of each access, as many as it has.

use super::{Bus, Refusal, trace};
use crate::device::{Hook, PciDevice};
use crate::model::{Hooks, Register, Slot};

impl<D: PciDevice> Bus<'_, '_, D> {
    /// Reads the bytes of `enable`, which are adjacent.
    pub(super) fn read_port(&mut self, register: &Register, slot: Slot, enable: u64) -> u64 {
        if !register.has(Hooks::READ_WITH) {
            return 0;
        }
        let Bytes { shift, len } = Bytes::of(enable);
        let bits = self.call(slot, Hook::ReadBytes(len));
        if trace::is_on() {
            trace::port(&self.name(slot), "read", bits, len);
        }
        bits << shift
    }

    /// Writes the bytes of `enable`, which are adjacent.
    pub(super) fn write_port(&mut self, register: &Register, slot: Slot, value: u64, enable: u64) {
        if !register.has(Hooks::WRITE_WITH) {
            self.refusals.log_write(Refusal::ReadOnly, enable, slot, self.descriptor);
            return;
        }
        let Bytes { shift, len } = Bytes::of(enable);
        let bits = (value & enable) >> shift;
        self.call(slot, Hook::WriteBytes(bits, len));
        if trace::is_on() {
            trace::port(&self.name(slot), "<-", bits, len);
        }
    }
}

/// Adjacent bytes of a register.
struct Bytes {
    /// The lowest bit of the first byte.
    shift: u32,
    len: u8,
}

impl Bytes {
    fn of(enable: u64) -> Self {
        let len = u8::try_from(enable.count_ones() / 8).unwrap_or(8);
        Bytes { shift: enable.trailing_zeros(), len }
    }
}
