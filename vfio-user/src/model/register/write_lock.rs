//! Locks, which make registers ignore writes.

use super::{Field, field};

/// Bits of a register that lock another one, or the register itself.
///
/// They lock while any of them is set; inverted, while none of them is. In an array, the element
/// with the same index locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteLock {
    /// The index of the locking register in the declaration.
    pub register: usize,
    /// The bits of that register that lock.
    pub mask: u64,
    /// Whether the lock engages while the bits are clear, and not while any of them is set.
    pub inverted: bool,
}

impl WriteLock {
    /// A lock by any bit of a register.
    pub const fn register(register: usize) -> Self {
        WriteLock { register, mask: u64::MAX, inverted: false }
    }

    /// A lock by the bits of a named field of a register with `fields`; by none if no field has the
    /// name.
    pub const fn field(register: usize, fields: &[Field], name: &str) -> Self {
        WriteLock { register, mask: field::mask_of(fields, name), inverted: false }
    }

    /// Returns the lock that engages while this one does not.
    #[must_use]
    pub const fn inverse(mut self) -> Self {
        self.inverted = !self.inverted;
        self
    }

    /// Returns whether the lock engages while its register holds `value`.
    pub(crate) const fn engages(self, value: u64) -> bool {
        (value & self.mask != 0) != self.inverted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[Field::new("enable", 0, 1), Field::new("wlock", 4, 2)];

    #[test]
    fn a_field_is_found_by_its_name() {
        let lock = WriteLock::field(3, FIELDS, "wlock");
        assert_eq!(lock, WriteLock { register: 3, mask: 0x30, inverted: false });
        assert_eq!(WriteLock::field(3, FIELDS, "wloc").mask, 0);
        assert_eq!(WriteLock::field(3, FIELDS, "wlocked").mask, 0);
    }

    #[test]
    fn an_inverted_lock_engages_while_its_bits_are_clear() {
        let lock = WriteLock::field(0, FIELDS, "wlock");
        for (value, engages) in [(0x00, false), (0x01, false), (0x10, true), (0x20, true)] {
            assert_eq!(lock.engages(value), engages);
            assert_eq!(lock.inverse().engages(value), !engages);
        }
    }
}
