//! What a hostile value may cost.

use std::cell::Cell;

use super::super::{ValueError, deeper};
use super::Result;

/// What a value may hold before it is refused.
#[derive(Clone, Copy)]
pub(in super::super) struct Limits<'b> {
    /// Values around this one.
    depth: u8,
    /// Elements of tuples and structs that may still come, where the reader takes any number of them.
    elements: &'b Cell<u64>,
}

impl<'b> Limits<'b> {
    /// The elements that a value of so many bytes may hold. Elements inside one another may have a
    /// single byte between them, and units have none, so there may be more of them than bytes.
    pub(in super::super) fn elements(bytes: usize) -> Cell<u64> {
        Cell::new((bytes as u64).saturating_mul(8).saturating_add(64))
    }

    pub(in super::super) fn new(elements: &'b Cell<u64>) -> Self {
        Limits { depth: 0, elements }
    }

    #[inline]
    pub(super) fn deeper(self) -> Result<Self> {
        Ok(Limits { depth: deeper(self.depth)?, ..self })
    }

    /// Spends all elements of a tuple or a struct at once, before the first of them is read.
    pub(super) fn spend(self, elements: u64) -> Result<()> {
        let left = self.elements.get().checked_sub(elements);
        let left = left.ok_or_else(|| ValueError::said("it holds far more elements than bytes"))?;
        self.elements.set(left);
        Ok(())
    }
}
