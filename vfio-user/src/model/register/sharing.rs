//! Registers that share bytes, of which one answers an access.

use std::fmt;

use super::{Field, Hooks, Register, field};
use crate::layout::{self, Answers};

/// The bits of a register, or of a field of it, on whose value other registers depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterBits {
    /// The index of the register in the declaration of the device, or of the block.
    pub register: usize,
    /// The bits of the register.
    pub mask: u64,
    /// The name of the field; empty for the whole register.
    pub field: &'static str,
}

/// A condition under which a register answers accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The bits that the condition is on.
    pub bits: RegisterBits,
    /// The values for which it holds, as inclusive ranges.
    pub values: &'static [(u64, u64)],
}

/// The accesses that a register answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharing {
    is_overlaid: bool,
    /// The sizes of accesses, each of which is a bit.
    sizes: u8,
    condition: Option<Condition>,
    selector: Option<RegisterBits>,
}

impl RegisterBits {
    /// All bits of a register.
    pub const fn register(register: usize) -> Self {
        RegisterBits { register, mask: u64::MAX, field: "" }
    }

    /// The bits of a named field of a register with `fields`; none if no field has the name.
    pub const fn field(register: usize, fields: &[Field], field: &'static str) -> Self {
        RegisterBits { register, mask: field::mask_of(fields, field), field }
    }

    /// Returns the value of the bits in a value of the register.
    pub(crate) const fn of(&self, register: u64) -> u64 {
        if self.mask == 0 { 0 } else { (register & self.mask) >> self.mask.trailing_zeros() }
    }

    /// Returns the bits of the register that hold a value.
    pub(crate) const fn with(&self, value: u64) -> u64 {
        if self.mask == 0 { 0 } else { (value << self.mask.trailing_zeros()) & self.mask }
    }

    /// Returns the implemented bits of those of a register, the lowest one first.
    pub(crate) const fn implemented(&self, register: &Register) -> u64 {
        self.of(register.implemented())
    }

    /// Returns the number of bits in a register.
    pub(crate) const fn width(&self, register: &Register) -> u64 {
        (self.mask & register.all_bits()).count_ones() as u64
    }
}

impl Condition {
    /// Returns whether the condition holds for a value of its register.
    pub(crate) const fn holds(&self, register: u64) -> bool {
        layout::contains(self.values, self.bits.of(register))
    }
}

impl Sharing {
    pub(super) const NOTHING: Sharing =
        Sharing { is_overlaid: false, sizes: Answers::ANY_SIZE, condition: None, selector: None };
}

/// Builders.
impl Register {
    /// Declares that the register answers reads alone, or writes alone, whichever its policies have
    /// an effect on: another register at the same place answers the others.
    #[must_use]
    pub const fn with_overlay(mut self) -> Self {
        self.sharing.is_overlaid = true;
        self
    }

    /// Sets a condition without which the register answers no access.
    #[must_use]
    pub const fn with_condition(
        mut self,
        bits: RegisterBits,
        values: &'static [(u64, u64)],
    ) -> Self {
        self.sharing.condition = Some(Condition { bits, values });
        self
    }

    /// Sets the sizes of accesses that the register answers, each of which is a bit: 1, 2, 4, 8.
    #[must_use]
    pub const fn with_access_sizes(mut self, sizes: u8) -> Self {
        self.sharing.sizes = sizes;
        self
    }

    /// Makes all elements of an array share the bytes of one: the value of `selector` is the index
    /// of the element that answers.
    #[must_use]
    pub const fn with_selector(mut self, selector: RegisterBits) -> Self {
        self.sharing.selector = Some(selector);
        self
    }
}

/// Getters.
impl Register {
    /// Returns whether the register answers one direction alone.
    pub const fn is_overlaid(&self) -> bool {
        self.sharing.is_overlaid
    }

    /// Returns the condition without which the register answers no access.
    pub const fn condition(&self) -> Option<Condition> {
        self.sharing.condition
    }

    /// Returns the sizes of accesses that the register answers, each of which is a bit.
    pub const fn access_sizes(&self) -> u8 {
        self.sharing.sizes
    }

    /// Returns the selector of the element that answers, if the elements share bytes.
    pub const fn selector(&self) -> Option<RegisterBits> {
        self.sharing.selector
    }

    /// Returns whether the register does not answer every access to its bytes.
    pub(crate) const fn is_conditional(&self) -> bool {
        self.sharing.is_overlaid || self.depends_on_access_or_state()
    }

    /// Returns whether it depends on more than the direction which accesses the register answers.
    pub(crate) const fn depends_on_access_or_state(&self) -> bool {
        let Sharing { condition, selector, .. } = &self.sharing;
        self.depends_on_size() || condition.is_some() || selector.is_some()
    }

    /// Returns whether it depends on the size of an access whether the register answers it.
    pub(crate) const fn depends_on_size(&self) -> bool {
        self.sharing.sizes != Answers::ANY_SIZE
    }

    /// Returns whether the register answers accesses of a direction.
    pub(crate) const fn answers(&self, is_write: bool) -> bool {
        !self.sharing.is_overlaid || if is_write { self.takes_writes() } else { self.takes_reads() }
    }

    /// Returns whether the register answers accesses of `bytes` bytes.
    pub(crate) const fn answers_size(&self, bytes: usize) -> bool {
        !self.depends_on_size() || self.sharing.sizes as usize & bytes != 0
    }

    const fn takes_reads(&self) -> bool {
        self.access.readable() != 0 || self.has(Hooks::READ_WITH) || self.has(Hooks::ON_READ)
    }

    const fn takes_writes(&self) -> bool {
        self.access.writable() != 0
            || self.has(Hooks::WRITE_WITH)
            || self.has(Hooks::ON_WRITE)
            || self.has(Hooks::KICK)
    }

    /// Returns the accesses that the register answers; `family` are the registers that are declared
    /// together with it.
    pub(crate) const fn all_answers(&self, family: &'static [Register]) -> Answers<'static> {
        let when = match self.sharing.condition {
            Some(Condition { bits, values }) if bits.register < family.len() => {
                let register = family[bits.register].name;
                Some(layout::When { register, field: bits.field, values })
            }
            _ => None,
        };
        let (reads, writes) = (self.answers(false), self.answers(true));
        Answers { reads, writes, sizes: self.sharing.sizes, when }
    }
}

/// Bits with the name of their register: `lcr.dlab`.
pub(crate) struct BitsName<'a> {
    pub(crate) bits: &'a RegisterBits,
    pub(crate) family: &'a [Register],
}

/// A condition as it is declared: `lcr.dlab = 1`, `ctrl.page = 0 | 2..=3`.
pub(crate) struct ConditionText<'a> {
    pub(crate) condition: &'a Condition,
    pub(crate) family: &'a [Register],
}

/// Sizes of accesses, each of which is a bit: `2`, `1 or 4`.
pub(crate) struct SizesText(pub(crate) u8);

impl fmt::Display for SizesText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = [1, 2, 4, 8].into_iter().filter(|size| self.0 & size != 0);
        let sizes: Vec<_> = sizes.map(|size: u8| size.to_string()).collect();
        f.write_str(&sizes.join(" or "))
    }
}

impl fmt::Display for BitsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = self.family.get(self.bits.register);
        f.write_str(register.map_or("", Register::name))?;
        if self.bits.field.is_empty() { Ok(()) } else { write!(f, ".{}", self.bits.field) }
    }
}

impl fmt::Display for ConditionText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConditionText { condition: Condition { bits, values }, family } = self;
        write!(f, "{} =", BitsName { bits, family })?;
        for (index, (first, last)) in values.iter().enumerate() {
            let before = if index == 0 { "" } else { " |" };
            write!(f, "{before} {first:#x}")?;
            if first != last {
                write!(f, "..={last:#x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[Field::new("start", 0, 1), Field::new("page", 6, 2)];
    const FAMILY: &[Register] = &[Register::new::<u8>("ctrl", 0).with_fields(FIELDS)];

    #[test]
    fn a_value_is_found_in_its_bits() {
        let page = RegisterBits::field(0, FIELDS, "page");
        assert_eq!(page.of(0xbf), 2);
        assert_eq!(page.with(5), 0x40);
        assert_eq!(page.width(&FAMILY[0]), 2);
        assert_eq!(RegisterBits::register(0).width(&FAMILY[0]), 8);
        assert_eq!(RegisterBits::field(0, FIELDS, "pag").of(0xff), 0);
    }

    #[test]
    fn sizes_are_printed_in_bytes() {
        assert_eq!(SizesText(0b0010).to_string(), "2");
        assert_eq!(SizesText(0b1101).to_string(), "1 or 4 or 8");
    }

    #[test]
    fn a_condition_is_printed_as_it_is_declared() {
        let bits = RegisterBits::field(0, FIELDS, "page");
        let condition = Condition { bits, values: &[(0, 0), (2, 3)] };
        let text = ConditionText { condition: &condition, family: FAMILY }.to_string();
        assert_eq!(text, "ctrl.page = 0x0 | 0x2..=0x3");
        assert!(condition.holds(0x80) && !condition.holds(0x40));
    }
}
