//! The rules of ranges that a device serves itself, beside registers.

use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;
use super::{Check, Extent, LayoutError, message, spaced};

/// A raw range has bytes, inside the BAR's `size` bytes.
pub const fn raw_range(bar: u8, range: (u64, u64), size: u64) -> Check<'static> {
    let (start, end) = range;
    if start >= end {
        return Err(LayoutError::RawEmpty { start, end });
    }
    if end > size {
        return Err(LayoutError::RawOutside { start, end, bar, size });
    }
    Ok(())
}

/// No byte belongs to two raw ranges, or to one and to memory that clients map.
pub const fn raw_apart(bar: u8, raw: (u64, u64), other: (u64, u64)) -> Check<'static> {
    if raw.1 <= other.0 || other.1 <= raw.0 {
        return Ok(());
    }
    Err(LayoutError::RawOverlap { bar, raw, other })
}

/// Nothing is declared in a raw range. Does not check extents that break another rule, as in
/// [`disjoint`](super::disjoint).
pub const fn outside_raw<'a>(extent: &Extent<'a>, bar: u8, range: (u64, u64)) -> Check<'a> {
    if extent.end().is_none() || spaced(extent).is_err() {
        return Ok(());
    }
    match extent.element_within(range.0, range.1) {
        Some(index) => {
            let Extent { kind, name, offset, width, .. } = extent.element(index);
            Err(LayoutError::InRaw { kind, name, at: (offset, offset + width), bar, range })
        }
        None => Ok(()),
    }
}

impl LayoutError<'_> {
    pub(super) const fn raw_text(&self) -> Text {
        match *self {
            Self::RawEmpty { start, end } => {
                Text::format("raw range {}..{} is empty", &[Hex(start), Hex(end)])
            }
            Self::RawOutside { start, end, bar, size } => Text::format(
                "raw range {}..{} does not fit in BAR {} (size {})",
                &[Hex(start), Hex(end), Dec(bar as u64), Hex(size)],
            ),
            Self::RawOverlap { bar, raw, other } => Text::format(
                "raw range {}..{} of BAR {} overlaps {}..{}",
                &[Hex(raw.0), Hex(raw.1), Dec(bar as u64), Hex(other.0), Hex(other.1)],
            ),
            Self::InRaw { kind, name, at, bar, range } => Text::format(
                "{}{}{} at {}..{} lies in a raw range ({}..{} of BAR {}), which \
                 `Device::access` serves",
                &[
                    Str(message::before(kind)),
                    Str(name),
                    Str(message::after(kind)),
                    Hex(at.0),
                    Hex(at.1),
                    Hex(range.0),
                    Hex(range.1),
                    Dec(bar as u64),
                ],
            ),
            Self::BigWithoutMessage { register } => Text::format(
                "register `{}` is little-endian where clients access it without a message, so it \
                 cannot lie in a big-endian BAR",
                &[Str(register)],
            ),
            _ => self.window_text(),
        }
    }
}
