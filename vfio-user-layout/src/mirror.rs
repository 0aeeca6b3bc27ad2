//! The rules of BARs that mirror others.

use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;
use super::{Check, LayoutError, message};

/// What a mirror shows: its BAR, the size of that, and the BAR that this one mirrors itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The number of the BAR.
    pub bar: u8,
    /// Its size in bytes.
    pub size: u64,
    /// The BAR that it mirrors, if it is a mirror.
    pub mirrors: Option<u8>,
}

/// A mirror shows another BAR.
pub const fn mirror_target(bar: u8, mirrored: u8) -> Check<'static> {
    if bar == mirrored { Err(LayoutError::MirrorOfItself { bar }) } else { Ok(()) }
}

/// The BAR behind a mirror is declared and has registers of its own.
pub const fn mirror_depth(bar: u8, mirrored: u8, declared: Option<Mirrored>) -> Check<'static> {
    match declared {
        None => Err(LayoutError::MirrorOfNothing { bar, mirrored }),
        Some(Mirrored { mirrors: Some(behind), .. }) => {
            Err(LayoutError::MirrorOfMirror { bar, mirrored, behind })
        }
        Some(_) => Ok(()),
    }
}

/// A mirror shows all of a BAR, or its first bytes.
pub const fn mirror_size(bar: u8, size: u64, mirrored: Mirrored) -> Check<'static> {
    if size <= mirrored.size {
        return Ok(());
    }
    Err(LayoutError::MirrorTooLarge { bar, size, mirrored: mirrored.bar, behind: mirrored.size })
}

impl LayoutError<'_> {
    pub(super) const fn mirror_text(&self) -> Text {
        match *self {
            Self::MirrorOfItself { bar } => {
                Text::format("BAR {} cannot mirror itself", &[Dec(bar as u64)])
            }
            Self::MirrorOfNothing { bar, mirrored } => Text::format(
                "BAR {} mirrors BAR {}, which is not declared",
                &[Dec(bar as u64), Dec(mirrored as u64)],
            ),
            Self::MirrorOfMirror { bar, mirrored, behind } => Text::format(
                "BAR {} mirrors BAR {}, which is a mirror itself; write `mirror = {}`",
                &[Dec(bar as u64), Dec(mirrored as u64), Dec(behind as u64)],
            ),
            Self::MirrorTooLarge { bar, size, mirrored, behind } => Text::format(
                "BAR {} (size {}) is larger than BAR {} (size {}), which it mirrors",
                &[Dec(bar as u64), Hex(size), Dec(mirrored as u64), Hex(behind)],
            ),
            Self::MirrorShared { bar, mirrored } => Text::format(
                "BAR {} mirrors BAR {}, and has no memory of its own to share",
                &[Dec(bar as u64), Dec(mirrored as u64)],
            ),
            Self::MirrorOfMsix { bar, mirrored } => Text::format(
                "BAR {} mirrors BAR {}, which holds the MSI-X table: a VMM controls the vectors \
                 in one place only",
                &[Dec(bar as u64), Dec(mirrored as u64)],
            ),
            Self::InMirror { kind, name, bar, mirrored } => Text::format(
                "{}{}{} lies in BAR {}, which mirrors BAR {}; declare it there",
                &[
                    Str(message::before(kind)),
                    Str(name),
                    Str(message::after(kind)),
                    Dec(bar as u64),
                    Dec(mirrored as u64),
                ],
            ),
            _ => self.raw_text(),
        }
    }
}
