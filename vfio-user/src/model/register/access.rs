//! The access algebra: the effect of a bus access on a register's bits, as masks.

use super::{Field, Policy};
use crate::layout;
use crate::layout::policy::{OnRead, OnWrite};

/// The policies of a register's fields as masks over its bits. Bits in no mask are reserved: they
/// read zero and ignore writes.
///
/// An access comes with `enable`, the bits of the bytes that it touches; all other bits keep their
/// value. An effect on a whole field happens if the access touches any bit of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Every bit of every field.
    implemented: u64,
    /// Bits that a write can change.
    writable: u64,
    /// Cleared after every write.
    pulses: u64,
    /// Bits for which a write does more than store.
    special: u64,
    /// Bits that read as stored.
    readable: u64,
    /// Bits that a read of any bit of the field clears.
    read_clears: u64,
    /// Bits that a read of any bit of the field sets.
    read_sets: u64,
    /// Bits that take the written value.
    plain: u64,
    /// The bits of `plain` that take one write after a reset.
    once: u64,
    /// Bits that a write to any bit of the field clears.
    write_clears: u64,
    /// Bits that a write to any bit of the field sets.
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

    /// The masks of a register with one policy, and of its fields that have another.
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

    /// Adds the bits of one more field.
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

    /// Returns the stored bits after a write of `value` to the bits of `enable`, which lie in the
    /// fields `touched`. Write-once bits in `written` keep their value.
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

    /// Returns the bits on the bus for a stored or provided value.
    pub(crate) const fn read(&self, value: u64) -> u64 {
        value & self.readable
    }

    /// Returns the stored bits after a read of the fields `touched`.
    pub(crate) const fn after_read(&self, stored: u64, touched: u64) -> u64 {
        (stored & !(touched & self.read_clears)) | (touched & self.read_sets)
    }

    /// Returns the bits that a hook receives as stored when only the bytes of `enable` were
    /// written: plain bits that can be read. All others are zero.
    pub(crate) const fn kept_by_hooks(&self, enable: u64) -> u64 {
        self.plain & self.readable & !enable
    }

    /// Returns the bits that reads show.
    pub(crate) const fn readable(&self) -> u64 {
        self.readable
    }

    /// Clears all writable bits after every write.
    pub(crate) const fn with_pulses(mut self) -> Self {
        self.pulses = self.writable;
        self
    }

    /// Returns the bits that a read changes.
    pub(crate) const fn changed_by_reads(&self) -> u64 {
        self.read_clears | self.read_sets
    }

    /// Returns the masks if accesses to `width` bytes only store and load.
    pub(crate) fn store_only(&self, width: u8) -> Option<StoreOnly> {
        let only_stores = self.special | self.pulses | self.changed_by_reads() == 0;
        let (readable, writable) = (self.readable, self.plain);
        let is_writable = writable == layout::width_mask(width.into());
        only_stores.then_some(StoreOnly { readable, writable, is_writable })
    }

    /// Returns whether a write changes more of a field than the bytes that are written.
    pub(crate) const fn has_whole_field_writes(&self) -> bool {
        self.write_clears | self.write_sets != 0
    }

    pub(crate) const fn implemented(&self) -> u64 {
        self.implemented
    }

    /// Returns the bits that software can clear without knowing the value of the others.
    pub(crate) const fn clearable(&self) -> u64 {
        self.ones_clear | self.zeros_clear | self.write_clears | self.read_clears
    }

    pub(crate) const fn writable(&self) -> u64 {
        self.writable
    }

    pub(crate) const fn pulses(&self) -> u64 {
        self.pulses
    }

    /// Returns the bits that take one write after a reset.
    pub(crate) const fn once(&self) -> u64 {
        self.once
    }
}

/// A register that only stores and loads, like most registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreOnly {
    pub(crate) readable: u64,
    pub(crate) writable: u64,
    /// Whether all of the register is writable.
    pub(crate) is_writable: bool,
}

/// A write to a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    /// The value, shifted to its place in the register.
    pub(crate) value: u64,
    /// The bits of the bytes that are written.
    pub(crate) enable: u64,
    /// The bits of the fields that contain any of these bits.
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
