//! What a hostile value of format 1 may cost.

use std::cell::Cell;

use serde::de::Error;

/// What a value may hold before it is refused.
#[derive(Clone, Copy)]
pub(in super::super) struct Limits<'a> {
    /// Elements of collections that may still come.
    elements: &'a Cell<usize>,
    /// Values inside one another that may still come: the stack has an end.
    depth: u8,
}

impl<'a> Limits<'a> {
    const DEPTH: u8 = 64;

    pub(in super::super) fn new(elements: &'a Cell<usize>) -> Self {
        Limits { elements, depth: Self::DEPTH }
    }

    pub(super) fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("it is nested more than 64 deep"))?;
        Ok(Limits { depth, ..self })
    }

    pub(super) fn take_element<E: Error>(self) -> Result<(), E> {
        let left = self.elements.get().checked_sub(1);
        let left = left.ok_or_else(|| E::custom("it holds more elements than bytes"))?;
        self.elements.set(left);
        Ok(())
    }
}
