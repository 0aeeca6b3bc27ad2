//! The rules of a register's fields: their bits and their values.

use super::{Check, LayoutError};

/// The values that a type can represent with a field's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    named: &'static [(u64, &'static str)],
    bits: u8,
}

impl Values {
    /// Every value of `bits` bits.
    pub const fn of_bits(bits: u8) -> Self {
        Values { named: &[], bits }
    }

    /// Only the values in `named`.
    pub const fn named(named: &'static [(u64, &'static str)]) -> Self {
        Values { named, bits: 0 }
    }

    /// Adds all other values of `bits` bits.
    #[must_use]
    pub const fn or_bits(mut self, bits: u8) -> Self {
        self.bits = bits;
        self
    }

    /// Returns the values that have a name.
    pub const fn names(&self) -> &'static [(u64, &'static str)] {
        self.named
    }

    /// Returns the name of a value.
    pub const fn name(&self, value: u64) -> Option<&'static str> {
        let mut i = 0;
        while i < self.named.len() {
            if self.named[i].0 == value {
                return Some(self.named[i].1);
            }
            i += 1;
        }
        None
    }

    /// Whether the type can represent `value`.
    pub const fn contains(&self, value: u64) -> bool {
        value & !bit_mask(self.bits as u64) == 0 && self.bits > 0 || self.name(value).is_some()
    }

    /// Returns the least value of `width` bits that the type cannot represent.
    const fn first_missing(&self, width: u64) -> Option<u64> {
        let mut value = 0;
        // At most this many values have a name, so the search ends.
        while self.contains(value) && value < bit_mask(width) && value <= self.named.len() as u64 {
            value += 1;
        }
        if self.contains(value) { None } else { Some(value) }
    }
}

/// Returns a mask of all bits of a field.
pub const fn bit_mask(width: u64) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

/// F01: a field lies in its register.
pub const fn field_inside(field: &str, first: u64, last: u64, register_bits: u64) -> Check<'_> {
    if last < register_bits {
        return Ok(());
    }
    Err(LayoutError::FieldOutside { field, first, last, register_bits })
}

/// F02: no bit belongs to two fields. `bits` are the first and the last one.
pub const fn fields_disjoint<'a>(
    one: &'a str,
    bits: (u64, u64),
    other: &'a str,
    other_bits: (u64, u64),
) -> Check<'a> {
    if bits.1 < other_bits.0 || other_bits.1 < bits.0 {
        return Ok(());
    }
    Err(LayoutError::FieldOverlap { field: one, bits, other, other_bits })
}

/// F04: a type has as many bits as its field, and a field room for its type's values.
pub const fn field_type<'a>(field: &'a str, width: u64, ty: &'a str, values: &Values) -> Check<'a> {
    let mut i = 0;
    while i < values.named.len() {
        let (value, name) = values.named[i];
        if value & !bit_mask(width) != 0 {
            return Err(LayoutError::VariantTooWide { field, width, ty, name, value });
        }
        i += 1;
    }
    if values.bits > 0 && width > values.bits as u64 {
        return Err(LayoutError::FieldTooWide { field, width, ty, bits: values.bits as u64 });
    }
    Ok(())
}

/// F05: every value of a field's bits has a variant.
pub const fn field_total<'a>(
    field: &'a str,
    width: u64,
    ty: &'a str,
    values: &Values,
) -> Check<'a> {
    if values.bits > 0 {
        return Ok(());
    }
    match values.first_missing(width) {
        Some(value) => Err(LayoutError::NoVariant { field, width, ty, value }),
        None => Ok(()),
    }
}

/// V01, V04: a reset value is a value of its field.
pub const fn field_reset<'a>(
    field: &'a str,
    width: u64,
    ty: &'a str,
    values: &Values,
    reset: u64,
) -> Check<'a> {
    if reset & !bit_mask(width) != 0 {
        return Err(LayoutError::FieldResetTooWide { field, width, reset });
    }
    if !values.contains(reset) {
        return Err(LayoutError::ResetNoVariant { field, ty, reset });
    }
    Ok(())
}

/// F05: a variant of a register's enum fits in the register.
///
/// # Errors
///
/// If the variant's value is too large.
pub const fn register_variant<'a>(width: u64, ty: &'a str, name: &'a str, value: u64) -> Check<'a> {
    if value & !bit_mask(width) != 0 {
        return Err(LayoutError::RegisterVariantTooWide { width, ty, name, value });
    }
    Ok(())
}

/// F05: the variant for all other values of a register has as many bits as the register.
pub const fn register_payload(width: u64, name: &str, bits: u64) -> Check<'_> {
    if bits < width {
        return Err(LayoutError::RegisterPayload { width, name, bits });
    }
    Ok(())
}

/// F05: every value of a register has a variant.
pub const fn register_total<'a>(width: u64, ty: &'a str, values: &Values) -> Check<'a> {
    match values.first_missing(width) {
        Some(value) => Err(LayoutError::RegisterNoVariant { width, ty, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: Values = Values::named(&[(0, "Off"), (1, "On"), (3, "Fast")]);

    #[test]
    fn the_first_missing_value_is_found() {
        assert_eq!(MODES.first_missing(2), Some(2));
        assert_eq!(MODES.first_missing(1), None);
        assert_eq!(Values::named(&[(0, "a"), (1, "b")]).first_missing(1), None);
        assert_eq!(Values::named(&[(0, "a"), (1, "b")]).first_missing(64), Some(2));
        assert_eq!(MODES.or_bits(2).first_missing(2), None);
        assert_eq!(Values::named(&[]).first_missing(3), Some(0));
    }

    #[test]
    fn a_value_has_a_name_or_fits_the_bits() {
        assert!(MODES.contains(3) && !MODES.contains(2));
        assert!(MODES.or_bits(8).contains(0xff) && !MODES.or_bits(8).contains(0x100));
        assert!(Values::of_bits(64).contains(u64::MAX));
    }
}
