//! The rules of memory that clients access by messages.

use super::text::Arg::{Hex, Str};
use super::text::Text;
use super::{Check, LayoutError};

/// The most bytes of a memory: all of it is one value of the device's state.
const MOST: u64 = 4 << 20;

/// A memory has bytes, and no more than migrate in one piece.
pub const fn memory_range(memory: &str, start: u64, end: u64) -> Check<'_> {
    if start >= end {
        return Err(LayoutError::MemoryEmpty { memory, start, end });
    }
    if end - start > MOST {
        return Err(LayoutError::MemoryTooLarge { memory, size: end - start });
    }
    Ok(())
}

/// The field of a memory has as many bytes as its range.
pub const fn memory_length(memory: &str, bytes: u64, start: u64, end: u64) -> Check<'_> {
    if start < end && end - start != bytes {
        return Err(LayoutError::MemoryLength { memory, bytes, start, end });
    }
    Ok(())
}

impl LayoutError<'_> {
    pub(super) const fn memory_text(&self) -> Text {
        match *self {
            Self::MemoryEmpty { memory, start, end } => Text::format(
                "memory `{}` at {}..{} has no bytes",
                &[Str(memory), Hex(start), Hex(end)],
            ),
            Self::MemoryTooLarge { memory, size } => Text::format(
                "memory `{}` has {} bytes; at most {} migrate in one piece, and larger memory is `shared`",
                &[Str(memory), Hex(size), Hex(MOST)],
            ),
            Self::MemoryLength { memory, bytes, start, end } => Text::format(
                "memory `{}` has {} bytes, but its range {}..{} has {}",
                &[Str(memory), Hex(bytes), Hex(start), Hex(end), Hex(end - start)],
            ),
            _ => self.shared_text(),
        }
    }
}
