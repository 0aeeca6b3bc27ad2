//! The messages of windows, and of registers in capabilities.

use super::LayoutError;
use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;

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
