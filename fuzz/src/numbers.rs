//! Numbers that are interesting more often than others.

use arbitrary::{Arbitrary, Result, Unstructured};

/// A number that is small, a page, a power of two, at an end, or any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) u64);

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (kind, low): (u8, u8) = u.arbitrary()?;
        let low = u64::from(low);
        Ok(Number(match kind % 8 {
            0..=2 => low,
            3 | 4 => low << 12,
            5 => 1 << (low % 64),
            6 => u64::MAX << (low % 64),
            _ => u.arbitrary()?,
        }))
    }
}

impl Number {
    /// The lower half.
    #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
    pub(crate) fn word(self) -> u32 {
        self.0 as u32
    }
}
