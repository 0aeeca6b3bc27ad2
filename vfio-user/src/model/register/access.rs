//! The access algebra: what a bus access does to a register's bits, as masks.

use super::{Field, Policy};
use crate::layout;
use crate::layout::policy::{OnRead, OnWrite};

/// The policies of a register's fields as masks over its bits. Bits in none of them are reserved:
/// they read zero and ignore writes.
///
/// An access comes with the bits of the bytes that it touches, `enable`: all else keeps its value.
/// What happens to a whole field, not bit by bit, happens if any of its bits is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Every bit of every field.
    implemented: u64,
    /// A write can change them.
    writable: u64,
    /// Cleared after every write.
    pulses: u64,
    /// A write does something else to them than storing.
    special: u64,
    /// Read as stored.
    readable: u64,
    /// Cleared by a read of any bit of the field.
    read_clears: u64,
    /// Set by a read of any bit of the field.
    read_sets: u64,
    /// Take the written value.
    plain: u64,
    /// Those of `plain` that do so once after a reset.
    once: u64,
    /// Cleared by a write to any bit of the field.
    write_clears: u64,
    /// Set by a write to any bit of the field.
    write_sets: u64,
    ones_clear: u64,
    ones_set: u64,
    ones_toggle: u64,
    zeros_clear: u64,
    zeros_set: u64,
    zeros_toggle: u64,
}

impl Access {
    const NONE: Access = Access {
        implemented: 0,
        writable: 0,
        pulses: 0,
        special: 0,
        readable: 0,
        read_clears: 0,
        read_sets: 0,
        plain: 0,
        once: 0,
        write_clears: 0,
        write_sets: 0,
        ones_clear: 0,
        ones_set: 0,
        ones_toggle: 0,
        zeros_clear: 0,
        zeros_set: 0,
        zeros_toggle: 0,
    };

    /// Of a register with one policy, and of those of its fields that have another.
    pub(crate) const fn new(policy: Policy, mask: u64, writable: u64, fields: &[Field]) -> Self {
        if fields.is_empty() {
            return Access::NONE.with(policy, mask, writable);
        }
        let (mut access, mut i) = (Access::NONE, 0);
        while i < fields.len() {
            let own = match fields[i].policy {
                Some(own) => own,
                None => policy,
            };
            let bits = fields[i].mask();
            access = access.with(own, mask & bits, writable & bits);
            if fields[i].is_pulse {
                access.pulses |= writable & bits;
            }
            i += 1;
        }
        access
    }

    /// With the bits of one more field.
    const fn with(mut self, policy: Policy, mask: u64, writable: u64) -> Self {
        self.implemented |= mask;
        if policy.is_writable() {
            self.writable |= writable;
        }
        if !matches!(policy.on_write(), OnWrite::Nothing | OnWrite::Store) {
            self.special |= writable;
        }
        match policy.on_write() {
            OnWrite::Nothing => {}
            OnWrite::Store => self.plain |= writable,
            OnWrite::StoreOnce => {
                self.plain |= writable;
                self.once |= writable;
            }
            OnWrite::ClearAll => self.write_clears |= writable,
            OnWrite::SetAll => self.write_sets |= writable,
            OnWrite::OnesClear => self.ones_clear |= writable,
            OnWrite::OnesSet => self.ones_set |= writable,
            OnWrite::OnesToggle => self.ones_toggle |= writable,
            OnWrite::ZerosClear => self.zeros_clear |= writable,
            OnWrite::ZerosSet => self.zeros_set |= writable,
            OnWrite::ZerosToggle => self.zeros_toggle |= writable,
        }
        match policy.on_read() {
            OnRead::Hidden => return self,
            OnRead::Value => {}
            OnRead::ValueThenClear => self.read_clears |= mask,
            OnRead::ValueThenSet => self.read_sets |= mask,
        }
        self.readable |= mask;
        self
    }

    /// What is stored after `value` was written to the bits of `enable`, which lie in the fields
    /// `touched`. Of the write-once bits, those `written` keep their value.
    pub(crate) const fn write(&self, stored: u64, write: Write) -> u64 {
        let Write { value, enable, touched, written } = write;
        let (ones, zeros) = (value & enable, !value & enable);
        let plain = self.plain & enable & !(self.once & written);
        let mut bits = (stored & !plain) | (value & plain);
        bits = (bits & !(ones & self.ones_clear)) | (ones & self.ones_set);
        bits ^= ones & self.ones_toggle;
        bits = (bits & !(zeros & self.zeros_clear)) | (zeros & self.zeros_set);
        bits ^= zeros & self.zeros_toggle;
        (bits & !(touched & self.write_clears)) | (touched & self.write_sets)
    }

    /// What the bus sees of a stored or provided value.
    pub(crate) const fn read(&self, value: u64) -> u64 {
        value & self.readable
    }

    /// What is stored after a read of the fields `touched`.
    pub(crate) const fn after_read(&self, stored: u64, touched: u64) -> u64 {
        (stored & !(touched & self.read_clears)) | (touched & self.read_sets)
    }

    /// The bits that a hook sees as the register holds them when only the bytes of `enable` were
    /// written: plain ones that can be read. All others are zero.
    pub(crate) const fn kept_by_hooks(&self, enable: u64) -> u64 {
        self.plain & self.readable & !enable
    }

    /// The bits that reads show.
    pub(crate) const fn readable(&self) -> u64 {
        self.readable
    }

    /// With all writable bits cleared after every write.
    pub(crate) const fn with_pulses(mut self) -> Self {
        self.pulses = self.writable;
        self
    }

    /// The bits that a read changes.
    pub(crate) const fn changed_by_reads(&self) -> u64 {
        self.read_clears | self.read_sets
    }

    /// The masks that matter if accesses to `width` bytes do nothing but to store and to give back.
    pub(crate) fn simple(&self, width: u8) -> Option<Simple> {
        let only_stores = self.special | self.pulses | self.changed_by_reads() == 0;
        let (readable, writable) = (self.readable, self.plain);
        let is_writable = writable == layout::width_mask(width.into());
        only_stores.then_some(Simple { readable, writable, is_writable })
    }

    /// Whether a write changes more of a field than the bytes that are written.
    pub(crate) const fn has_whole_field_writes(&self) -> bool {
        self.write_clears | self.write_sets != 0
    }

    pub(crate) const fn implemented(&self) -> u64 {
        self.implemented
    }

    /// Those that software can clear without knowing the others.
    pub(crate) const fn clearable(&self) -> u64 {
        self.ones_clear | self.zeros_clear | self.write_clears | self.read_clears
    }

    pub(crate) const fn writable(&self) -> u64 {
        self.writable
    }

    pub(crate) const fn pulses(&self) -> u64 {
        self.pulses
    }

    /// The bits that take one write after a reset.
    pub(crate) const fn once(&self) -> u64 {
        self.once
    }
}

/// A register that stores what is written, gives it back, and does nothing else: most of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Simple {
    pub(crate) readable: u64,
    pub(crate) writable: u64,
    /// Whether all of it is.
    pub(crate) is_writable: bool,
}

/// A write to a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    /// At its place in the register.
    pub(crate) value: u64,
    /// The bits of the bytes that are written.
    pub(crate) enable: u64,
    /// The bits of the fields that any of those lies in.
    pub(crate) touched: u64,
    /// The bits that have been written since the last reset.
    pub(crate) written: u64,
}

/// The bits of bytes `first..first + len` of a register.
pub(crate) const fn byte_enable(first: u64, len: u64) -> u64 {
    layout::width_mask(len) << (first * 8)
}

#[cfg(test)]
mod tests;
