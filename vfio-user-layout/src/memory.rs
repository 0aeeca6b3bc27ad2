//! The rules of memory that clients access by messages, and of places without a model.

use super::message::{after, before};
use super::text::Arg::{Hex, Str};
use super::text::Text;
use super::{Check, Kind, LayoutError};

/// The most bytes of a memory: all of it is one value of the device's state.
const MOST: u64 = 4 << 20;

/// A memory has bytes, and no more than migrate in one piece.
pub const fn memory_range(kind: Kind, name: &str, start: u64, end: u64) -> Check<'_> {
    if let Err(error) = nonempty_range(kind, name, start, end) {
        return Err(error);
    }
    if end - start > MOST {
        return Err(LayoutError::MemoryTooLarge { kind, name, size: end - start });
    }
    Ok(())
}

/// A range has bytes.
pub const fn nonempty_range(kind: Kind, name: &str, start: u64, end: u64) -> Check<'_> {
    if start >= end {
        return Err(LayoutError::MemoryEmpty { kind, name, start, end });
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
            Self::MemoryEmpty { kind, name, start, end } => Text::format(
                "{}{}{} at {}..{} has no bytes",
                &[Str(before(kind)), Str(name), Str(after(kind)), Hex(start), Hex(end)],
            ),
            Self::MemoryTooLarge { kind: Kind::Unmodelled, name, size } => Text::format(
                "unmodelled `{}` has {} bytes; at most {} migrate in one piece, and more only read `zero`",
                &[Str(name), Hex(size), Hex(MOST)],
            ),
            Self::MemoryTooLarge { name, size, .. } => Text::format(
                "memory `{}` has {} bytes; at most {} migrate in one piece, and larger memory is `shared`",
                &[Str(name), Hex(size), Hex(MOST)],
            ),
            Self::MemoryLength { memory, bytes, start, end } => Text::format(
                "memory `{}` has {} bytes, but its range {}..{} has {}",
                &[Str(memory), Hex(bytes), Hex(start), Hex(end), Hex(end - start)],
            ),
            _ => self.mirror_text(),
        }
    }
}
