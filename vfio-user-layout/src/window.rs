//! The messages of windows, and of registers in capabilities.

use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;
use super::{Check, LayoutError};

/// The mask of the register `index`, by which the window `register` goes, has no more bits than
/// offsets in the BAR that it reaches.
pub const fn window_reach<'a>(
    register: &'a str,
    index: &'a str,
    mask: u64,
    bar: u8,
    size: u64,
) -> Check<'a> {
    if mask < size {
        return Ok(());
    }
    Err(LayoutError::WindowReach { register, index, mask, bar, size })
}

impl LayoutError<'_> {
    pub(super) const fn window_text(&self) -> Text {
        match *self {
            Self::WindowTarget { register } => Text::format(
                "window `{}` does not go by single registers with storage",
                &[Str(register)],
            ),
            Self::WindowField { target } => {
                Text::format("`{}` does not exist: the register has no such field", &[Str(target)])
            }
            Self::WindowBar { register, bar } => Text::format(
                "window `{}` reaches BAR {}, which is not declared",
                &[Str(register), Dec(bar as u64)],
            ),
            Self::WindowReach { register, index, mask, bar, size } => Text::format(
                "`{}` holds offsets up to {}, but window `{}` reaches BAR {}, which has {} bytes",
                &[Str(index), Hex(mask), Str(register), Dec(bar as u64), Hex(size)],
            ),
            Self::WindowInConfig { register } => Text::format(
                "window `{}` lies in configuration space: say which BAR it reaches, `bar = 0`",
                &[Str(register)],
            ),
            Self::CapabilityHeader { capability, offset, header } => Text::format(
                "the first {} bytes of a capability `{}` are its header, where no register lies; \
                 one is at {}",
                &[Dec(header), Str(capability), Hex(offset)],
            ),
            _ => self.shared_text(),
        }
    }
}
