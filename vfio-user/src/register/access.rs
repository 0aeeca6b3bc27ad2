//! The access algebra: what a bus access does to a register's bits, as masks.

use crate::layout;

/// How software may access a register (the names of UVM, IEEE 1800.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Read-only.
    Ro,
    /// Read and write.
    #[default]
    Rw,
    /// Write-only: reads give zero.
    Wo,
    /// Read; writing a one clears the bit.
    W1c,
    /// Read; writing a one sets the bit.
    W1s,
}

impl Policy {
    /// As it is written in `#[reg(..)]`.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Ro => "ro",
            Policy::Rw => "rw",
            Policy::Wo => "wo",
            Policy::W1c => "w1c",
            Policy::W1s => "w1s",
        }
    }
}

/// A policy as masks over a register's bits. Bits in none of them are reserved: they read zero and
/// ignore writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Read as stored.
    readable: u64,
    /// Take the written value.
    plain: u64,
    /// Cleared by a one.
    one_clears: u64,
    /// Set by a one.
    one_sets: u64,
}

impl Access {
    pub(crate) const fn new(policy: Policy, mask: u64, writable: u64) -> Self {
        let none = Access { readable: mask, plain: 0, one_clears: 0, one_sets: 0 };
        match policy {
            Policy::Ro => none,
            Policy::Rw => Access { plain: writable, ..none },
            Policy::Wo => Access { readable: 0, plain: writable, ..none },
            Policy::W1c => Access { one_clears: writable, ..none },
            Policy::W1s => Access { one_sets: writable, ..none },
        }
    }

    /// What is stored after `value` was written to the bytes of `enable`.
    pub(crate) const fn write(self, stored: u64, value: u64, enable: u64) -> u64 {
        let plain = self.plain & enable;
        let ones = value & enable;
        let merged = (stored & !plain) | (value & plain);
        (merged & !(ones & self.one_clears)) | (ones & self.one_sets)
    }

    /// What the bus sees of a stored or provided value.
    pub(crate) const fn read(self, value: u64) -> u64 {
        value & self.readable
    }

    /// The whole register that a hook sees when only the bytes of `enable` were written: plain bits
    /// that can be read keep what is stored, all others are zero.
    pub(crate) const fn bus_value(self, stored: u64, value: u64, enable: u64) -> u64 {
        (value & enable) | (stored & self.plain & self.readable & !enable)
    }
}

/// The bits of bytes `first..first + len` of a register.
pub(crate) const fn byte_enable(first: u64, len: u64) -> u64 {
    layout::width_mask(len) << (first * 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policies() -> impl Strategy<Value = Policy> {
        prop_oneof![
            Just(Policy::Ro),
            Just(Policy::Rw),
            Just(Policy::Wo),
            Just(Policy::W1c),
            Just(Policy::W1s)
        ]
    }

    /// One bit at a time, from the definitions in words.
    fn bit_after_write(policy: Policy, stored: bool, written: bool) -> bool {
        match (policy, written) {
            (Policy::Ro, _) | (Policy::W1c | Policy::W1s, false) => stored,
            (Policy::Rw | Policy::Wo, written) => written,
            (Policy::W1c, true) => false,
            (Policy::W1s, true) => true,
        }
    }

    proptest! {
        #[test]
        fn every_bit_follows_its_policy(
            policy in policies(),
            mask: u64,
            writable: u64,
            stored: u64,
            value: u64,
            first in 0u64..8,
            len in 1u64..=8,
        ) {
            let writable = writable & mask;
            let enable = byte_enable(first, len.min(8 - first));
            let after = Access::new(policy, mask, writable).write(stored, value, enable);
            for bit in 0..64 {
                let of = |word: u64| word >> bit & 1 == 1;
                let expected = if of(enable) && of(writable) {
                    bit_after_write(policy, of(stored), of(value))
                } else {
                    of(stored)
                };
                prop_assert_eq!(of(after), expected, "bit {}", bit);
            }
        }
    }

    #[test]
    fn a_byte_acknowledges_its_own_bits_only() {
        let access = Access::new(Policy::W1c, u32::MAX.into(), u32::MAX.into());
        let after = access.write(0x0101_0101, 0x01, byte_enable(0, 1));
        assert_eq!(after, 0x0101_0100);
    }

    #[test]
    fn a_hook_sees_stored_plain_bits_and_zeros_elsewhere() {
        let enable = byte_enable(1, 1);
        let seen = |policy| {
            Access::new(policy, 0xffff_ffff, 0xffff_ffff).bus_value(0x1122_3344, 0xaa00, enable)
        };
        assert_eq!(seen(Policy::Rw), 0x1122_aa44);
        assert_eq!(seen(Policy::Wo), 0xaa00);
        assert_eq!(seen(Policy::W1c), 0xaa00);
    }
}
