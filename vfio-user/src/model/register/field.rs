//! Named bits of a register.

use super::{Policy, Register, RegisterFlags};
use crate::layout::{self, Check, LayoutError, Values, bit_mask};

/// A named run of bits of a register, as a bit-field type declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name, for hooks, logs, descriptions.
    pub name: &'static str,
    /// The index of the lowest bit.
    pub shift: u8,
    /// The width in bits.
    pub width: u8,
    /// The policy of the field; `None` for the register's policy.
    pub policy: Option<Policy>,
    /// The value after a reset, not shifted; `None` for the register's reset value.
    pub reset: Option<u64>,
    /// Whether the field clears itself after every write.
    pub is_pulse: bool,
    /// Whether the field changes without a write.
    pub is_volatile: bool,
    /// The author's documentation.
    pub doc: &'static str,
    /// The values of the field's type.
    pub values: Values,
    /// Whether the field ignores writes of values that its type lacks.
    pub is_rejecting: bool,
}

impl Field {
    /// Declares a field of `width` bits from bit `shift` on, with the register's policy.
    pub const fn new(name: &'static str, shift: u8, width: u8) -> Self {
        Field {
            name,
            shift,
            width,
            policy: None,
            reset: None,
            is_pulse: false,
            is_volatile: false,
            doc: "",
            values: Values::of_bits(64),
            is_rejecting: false,
        }
    }

    /// Sets the policy, in place of the register's.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets the value after a reset; not shifted.
    #[must_use]
    pub const fn with_reset(mut self, value: u64) -> Self {
        self.reset = Some(value);
        self
    }

    /// Makes the field clear itself after every write, once the hooks have seen it.
    #[must_use]
    pub const fn with_pulse(mut self) -> Self {
        self.is_pulse = true;
        self
    }

    /// Declares that the field changes without a write.
    #[must_use]
    pub const fn with_volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Sets the author's documentation.
    #[must_use]
    pub const fn with_doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Sets the values of the field's type.
    #[must_use]
    pub const fn with_values(mut self, values: Values) -> Self {
        self.values = values;
        self
    }

    /// Makes the field ignore writes of values that its type lacks.
    #[must_use]
    pub const fn with_rejection(mut self) -> Self {
        self.is_rejecting = true;
        self
    }

    /// Returns the bits of the field in the register.
    pub const fn mask(&self) -> u64 {
        let ones = bit_mask(self.width as u64);
        if self.shift < 64 { ones << self.shift } else { 0 }
    }

    /// Returns the value of the field in the bits of the register.
    pub const fn extract(&self, bits: u64) -> u64 {
        if self.shift < 64 { (bits & self.mask()) >> self.shift } else { 0 }
    }

    /// Returns the bits of the register that hold `value`; excess bits are dropped.
    pub const fn insert(&self, value: u64) -> u64 {
        if self.shift < 64 { (value << self.shift) & self.mask() } else { 0 }
    }

    /// Returns whether the field ignores a write of `bits` to its register.
    pub(crate) const fn rejects(&self, bits: u64) -> bool {
        self.is_rejecting && !self.values.contains(self.extract(bits))
    }
}

impl Register {
    /// V02 to V04: checks the reset value of the register against those of the fields.
    pub(crate) const fn check_field_resets(&self, reset: u64) -> Check<'static> {
        let (mut covered, mut i) = (0, 0);
        while i < self.fields.len() {
            let field = &self.fields[i];
            let value = field.extract(reset);
            covered |= field.mask();
            if !field.values.contains(value) {
                return Err(LayoutError::ResetUnknownValue { reset, field: field.name, value });
            }
            match field.reset {
                Some(field_reset) if field_reset != value => {
                    let (register, field) = (self.name, field.name);
                    return Err(LayoutError::ResetsDisagree {
                        register,
                        reset,
                        field,
                        field_reset,
                    });
                }
                _ => i += 1,
            }
        }
        match reset & layout::width_mask(self.width as u64) & !covered {
            0 => Ok(()),
            _ if self.fields.is_empty() => Ok(()),
            outside => {
                let bit = outside.trailing_zeros() as u64;
                Err(LayoutError::ResetOutsideFields { reset, bit })
            }
        }
    }
}

impl Register {
    /// Returns the bits that change without a write.
    pub(crate) fn volatile_bits(&self) -> u64 {
        if self.is(RegisterFlags::VOLATILE) {
            return u64::MAX;
        }
        let volatile = self.fields.iter().filter(|field| field.is_volatile);
        volatile.fold(0, |mask, field| mask | field.mask())
    }

    /// Returns the first field whose type lacks the value in `bits`.
    pub(crate) const fn first_unknown(&self, bits: u64) -> Option<&'static Field> {
        let mut i = 0;
        while i < self.fields.len() {
            let field = &self.fields[i];
            if !field.values.contains(field.extract(bits)) {
                return Some(field);
            }
            i += 1;
        }
        None
    }
}

/// Returns whether any field rejects some value.
pub(super) const fn any_rejects(fields: &[Field]) -> bool {
    let mut i = 0;
    while i < fields.len() {
        if fields[i].is_rejecting {
            return true;
        }
        i += 1;
    }
    false
}

/// Returns the bits of the field with a name; none if there is no such field.
pub(super) const fn mask_of(fields: &[Field], name: &str) -> u64 {
    let mut i = 0;
    while i < fields.len() {
        if layout::is_same(fields[i].name, name) {
            return fields[i].mask();
        }
        i += 1;
    }
    0
}

/// Returns the reset value of a register according to its fields, if any of them has one.
pub(super) const fn reset_value(fields: &[Field]) -> Option<u64> {
    let (mut value, mut i) = (None, 0);
    while i < fields.len() {
        if let Some(reset) = fields[i].reset {
            let others = match value {
                Some(others) => others,
                None => 0,
            };
            value = Some(others | fields[i].insert(reset));
        }
        i += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_knows_its_bits() {
        assert_eq!(Field::new("low", 0, 1).mask(), 1);
        assert_eq!(Field::new("nibble", 4, 4).mask(), 0xf0);
        assert_eq!(Field::new("all", 0, 64).mask(), u64::MAX);
        assert_eq!(Field::new("top", 63, 1).mask(), 1 << 63);
        assert_eq!(Field::new("nowhere", 64, 1).mask(), 0);
        assert_eq!(Field::new("nibble", 4, 4).extract(0xabc), 0xb);
    }
}
