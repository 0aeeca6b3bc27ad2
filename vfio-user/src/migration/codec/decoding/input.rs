//! The bytes of a value, and what a hostile one may cost.

use super::super::{ValueError, deeper, wire};
use super::Result;

/// It is not part of [`Decoder`](super::Decoder), which two registers hold then.
pub(super) struct Input<'de> {
    pub(super) bytes: &'de [u8],
    /// Values around the next one.
    depth: u8,
    /// Elements of tuples and structs that may still come, where the reader takes any number of
    /// them.
    elements: u64,
}

impl<'de> Input<'de> {
    /// Elements inside one another may have a single byte between them, and units have none, so
    /// there may be more of them than bytes.
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        let elements = (bytes.len() as u64).saturating_mul(8).saturating_add(64);
        Input { bytes, depth: 0, elements }
    }

    /// Reads what is inside a value.
    #[inline]
    pub(super) fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth = deeper(self.depth)?;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Spends all elements of a tuple or a struct at once, before the first of them is read.
    pub(super) fn spend(&mut self, elements: u64) -> Result<()> {
        let left = self.elements.checked_sub(elements);
        self.elements =
            left.ok_or_else(|| ValueError::said("it holds far more elements than bytes"))?;
        Ok(())
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8> {
        wire::take_array::<1>(&mut self.bytes).map(|[byte]| byte)
    }
}
