//! The rules of memory that clients map.

use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;
use super::{BarKind, Check, Extent, Kind, LayoutError, message, spaced};

/// The page size for mappings of clients, independent of the host's page size.
const PAGE: u64 = 0x1000;

/// Only memory can be mapped.
pub const fn shareable(bar: u8, kind: BarKind) -> Check<'static> {
    if let BarKind::Io = kind { Err(LayoutError::SharedIo { bar }) } else { Ok(()) }
}

/// A part of a BAR that clients may map consists of whole pages inside the BAR's `size` bytes.
pub const fn shared_area(bar: u8, area: (u64, u64), size: u64) -> Check<'static> {
    let (start, end) = area;
    if start >= end {
        return Err(LayoutError::SharedEmpty { start, end });
    }
    if !start.is_multiple_of(PAGE) || !end.is_multiple_of(PAGE) {
        return Err(LayoutError::SharedAlignment { start, end, bar });
    }
    if end > size {
        return Err(LayoutError::SharedOutside { start, end, bar, size });
    }
    Ok(())
}

/// No byte belongs to two areas.
pub const fn shared_apart(bar: u8, one: (u64, u64), other: (u64, u64)) -> Check<'static> {
    if one.1 <= other.0 || other.1 <= one.0 {
        return Ok(());
    }
    Err(LayoutError::SharedOverlap { bar, one, other })
}

/// A12: a client accesses a mapped page without a message, so the page holds memory and nothing
/// else. Does not check extents that break another rule, as in [`disjoint`](super::disjoint).
pub const fn unshared<'a>(extent: &Extent<'a>, bar: u8, area: (u64, u64)) -> Check<'a> {
    if extent.end().is_none() || spaced(extent).is_err() {
        return Ok(());
    }
    match extent.element_within(area.0, area.1) {
        Some(index) => {
            let Extent { kind, name, offset, width, .. } = extent.element(index);
            Err(LayoutError::InShared { kind, name, at: (offset, offset + width), bar, area })
        }
        None => Ok(()),
    }
}

/// Whether the whole extent lies in an area.
pub const fn is_within(extent: &Extent<'_>, area: (u64, u64)) -> bool {
    match extent.end() {
        Some(end) => area.0 <= extent.offset && end <= area.1,
        None => false,
    }
}

/// A watched register needs a shared area, and the BAR has none.
pub const fn nothing_to_watch<'a>(extent: &Extent<'a>, bar: u8) -> Check<'a> {
    let at = (extent.offset, extent.offset.saturating_add(extent.width));
    Err(LayoutError::NothingToWatch { register: extent.name, at, bar })
}

impl LayoutError<'_> {
    pub(super) const fn shared_text(&self) -> Text {
        match *self {
            Self::SharedIo { bar } => Text::format(
                "I/O BAR {} cannot be shared; only memory can be mapped",
                &[Dec(bar as u64)],
            ),
            Self::SharedEmpty { start, end } => {
                Text::format("shared range {}..{} is empty", &[Hex(start), Hex(end)])
            }
            Self::SharedAlignment { start, end, bar } => Text::format(
                "shared range {}..{} of BAR {} must start and end at multiples of {}: clients map whole pages",
                &[Hex(start), Hex(end), Dec(bar as u64), Hex(PAGE)],
            ),
            Self::SharedOutside { start, end, bar, size } => Text::format(
                "shared range {}..{} does not fit in BAR {} (size {})",
                &[Hex(start), Hex(end), Dec(bar as u64), Hex(size)],
            ),
            Self::SharedOverlap { bar, one, other } => Text::format(
                "shared range {}..{} of BAR {} overlaps {}..{}",
                &[Hex(one.0), Hex(one.1), Dec(bar as u64), Hex(other.0), Hex(other.1)],
            ),
            Self::InShared { kind, name, at, bar, area } => Text::format(
                "{}{}{} at {}..{} lies in shared memory ({}..{} of BAR {}), where accesses would bypass it{}",
                &[
                    Str(message::before(kind)),
                    Str(name),
                    Str(message::after(kind)),
                    Hex(at.0),
                    Hex(at.1),
                    Hex(area.0),
                    Hex(area.1),
                    Dec(bar as u64),
                    Str(match kind {
                        Kind::Register => "; move it, or `watch` it",
                        _ => "",
                    }),
                ],
            ),
            Self::NothingToWatch { register, at, bar } => Text::format(
                "watched register `{}` at {}..{} does not lie in a shared range of BAR {}, so every write to it is a message",
                &[Str(register), Hex(at.0), Hex(at.1), Dec(bar as u64)],
            ),
            _ => self.sharing_text(),
        }
    }
}
