//! What generated drivers consist of: accesses to declared registers.

use super::{Bars, Width};
use crate::layout::BarKind;
use crate::layout::policy::OnWrite;
use crate::model::{Bar, Block, Commit, Descriptor, Register, RegisterValue};

/// The place from which the offsets of registers count: the start of a BAR, or of an element of a
/// block in it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub(super) bar: u8,
    pub(super) offset: u64,
    pub(super) rules: Bar,
}

impl Origin {
    /// Returns the start of a BAR.
    pub const fn of_bar(descriptor: &Descriptor, bar: u8) -> Self {
        let rules = match descriptor.bar(bar) {
            Some(rules) => rules,
            // The build has failed: there is a register in a BAR that is not declared.
            None => Bar::new(BarKind::Mem32, 0),
        };
        Origin { bar, offset: 0, rules }
    }

    /// Returns the start of an element of a block.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[must_use]
    #[track_caller]
    pub fn within(self, block: &Block, element: usize) -> Self {
        expect_element(block.name(), element, block.extent().count);
        self.of_element(block, element)
    }

    pub(super) const fn of_element(self, block: &Block, element: usize) -> Self {
        Origin { offset: self.offset + block.offset_of(element), ..self }
    }

    /// Reads a register.
    ///
    /// # Errors
    ///
    /// Those of the accesses.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[track_caller]
    pub fn read<T: RegisterValue, B: Bars + ?Sized>(
        self,
        bars: &mut B,
        register: &Register,
        element: usize,
    ) -> Result<T, B::Error> {
        let access = self.access(register, element);
        let mut bits = 0;
        for part in 0..access.parts {
            let (offset, shift) = access.part(part);
            bits |= access.turned(bars.read(self.bar, offset, access.width)?) << shift;
        }
        Ok(T::from_bits(bits))
    }

    /// Writes a register.
    ///
    /// # Errors
    ///
    /// Those of the accesses.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[track_caller]
    pub fn write<T: RegisterValue, B: Bars + ?Sized>(
        self,
        bars: &mut B,
        register: &Register,
        element: usize,
        value: T,
    ) -> Result<(), B::Error> {
        self.write_bits(bars, register, element, value.to_bits())
    }

    /// Writes a register whose policy acts on zeros: those bits of `value` that are set.
    ///
    /// # Errors
    ///
    /// Those of the accesses.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[track_caller]
    pub fn write_inverted<T: RegisterValue, B: Bars + ?Sized>(
        self,
        bars: &mut B,
        register: &Register,
        element: usize,
        value: T,
    ) -> Result<(), B::Error> {
        let bits = !value.to_bits() & register.implemented();
        self.write_bits(bars, register, element, bits)
    }

    /// Writes a register whose policy ignores the value.
    ///
    /// # Errors
    ///
    /// Those of the accesses.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[track_caller]
    pub fn write_any<B: Bars + ?Sized>(
        self,
        bars: &mut B,
        register: &Register,
        element: usize,
    ) -> Result<(), B::Error> {
        self.write_bits(bars, register, element, 0)
    }

    /// Reads a register, changes the value, and writes it; fields on which a written bit acts by
    /// itself receive the bits that do nothing.
    ///
    /// # Errors
    ///
    /// Those of the accesses.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[track_caller]
    pub fn update<T: RegisterValue, B: Bars + ?Sized>(
        self,
        bars: &mut B,
        register: &Register,
        element: usize,
        change: impl FnOnce(&mut T),
    ) -> Result<(), B::Error> {
        let mut value = self.read(bars, register, element)?;
        change(&mut value);
        self.write_bits(bars, register, element, stored_alone(register, T::to_bits(value)))
    }

    #[track_caller]
    fn write_bits<B: Bars + ?Sized>(
        self,
        bars: &mut B,
        register: &Register,
        element: usize,
        bits: u64,
    ) -> Result<(), B::Error> {
        let access = self.access(register, element);
        // The half that completes a write comes last.
        let first = if register.commit() == Commit::Low { access.parts / 2 } else { 0 };
        for part in 0..access.parts {
            let (offset, shift) = access.part((part + first) % access.parts);
            let word = access.turned(access.word(bits >> shift));
            bars.write(self.bar, offset, access.width, word)?;
        }
        Ok(())
    }

    #[track_caller]
    fn access(&self, register: &Register, element: usize) -> Access {
        expect_element(register.name(), element, register.extent().count);
        let offset = self.offset + register.offset_of(element);
        let size = self.largest(register, offset).unwrap_or(register.width());
        Access {
            offset,
            width: Width::at_most(size),
            parts: register.width() / size,
            is_big: register.is_big(self.rules.is_big_endian()),
        }
    }

    /// Returns the size of the largest access that reaches the register alone.
    pub(super) const fn largest(&self, register: &Register, offset: u64) -> Option<u8> {
        let (accepted, mut size) = (self.rules.sizes_at(offset), register.width());
        while size > 0 {
            if accepted.contains(size as usize) && register.access_sizes() & size != 0 {
                return Some(size);
            }
            size /= 2;
        }
        None
    }
}

/// The accesses that make up one of a register.
struct Access {
    offset: u64,
    width: Width,
    parts: u8,
    is_big: bool,
}

impl Access {
    /// Returns the offset of a part, and its lowest bit in the register; part 0 has the lowest
    /// bits.
    fn part(&self, part: u8) -> (u64, u32) {
        let bytes = self.width.bytes();
        let place = if self.is_big { self.parts - 1 - part } else { part };
        (self.offset + u64::from(place * bytes), u32::from(part * bytes) * 8)
    }

    /// Returns the lowest bits that a part has.
    fn word(&self, bits: u64) -> u64 {
        bits & (u64::MAX >> (64 - u32::from(self.width.bytes()) * 8))
    }

    /// Converts a part between its value and that of the bus.
    fn turned(&self, word: u64) -> u64 {
        if self.is_big {
            word.swap_bytes() >> (64 - u32::from(self.width.bytes()) * 8)
        } else {
            word
        }
    }
}

/// Returns what to write so that only fields that store what is written change.
fn stored_alone(register: &Register, bits: u64) -> u64 {
    register.fields().iter().fold(bits, |bits, field| {
        match field.policy.unwrap_or(register.policy()).on_write() {
            OnWrite::OnesClear | OnWrite::OnesSet | OnWrite::OnesToggle => bits & !field.mask(),
            OnWrite::ZerosClear | OnWrite::ZerosSet | OnWrite::ZerosToggle => bits | field.mask(),
            _ => bits,
        }
    })
}

#[track_caller]
fn expect_element(name: &str, element: usize, count: u64) {
    assert!(
        (element as u64) < count,
        "`{name}` has {count} elements; there is no element {element}"
    );
}
