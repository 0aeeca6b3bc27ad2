//! The rules of capabilities.

use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;
use super::{Check, LayoutError};

/// The range of capabilities in configuration space, behind the header.
pub const CAPABILITIES: (u64, u64) = (0x40, 0x100);

/// The range of the extended capabilities of PCI Express functions.
pub const EXTENDED: (u64, u64) = (0x100, 0x1000);

/// C01, C04: the place of a capability with an explicit offset.
pub const fn capability_place(capability: &str, at: (u64, u64), is_extended: bool) -> Check<'_> {
    let space = if is_extended { EXTENDED } else { CAPABILITIES };
    if !at.0.is_multiple_of(4) {
        return Err(LayoutError::CapabilityMisaligned { capability, offset: at.0 });
    }
    if at.0 < space.0 || at.1 > space.1 {
        return Err(LayoutError::CapabilityOutside { capability, at, space });
    }
    Ok(())
}

/// C02: capabilities placed automatically fit in their space. `end` is the end of all of them; the
/// error names the first one that does not fit.
pub const fn capability_fits(at: (u64, u64), end: u64, is_extended: bool) -> Check<'static> {
    let space = if is_extended { EXTENDED } else { CAPABILITIES };
    if at.1 <= space.1 || at.0 > space.1 {
        return Ok(());
    }
    Err(LayoutError::CapabilitiesTooLong { end, space })
}

/// C03: only PCI Express functions have extended capabilities.
pub const fn extended_allowed(capability: &str, is_express: bool) -> Check<'_> {
    if is_express { Ok(()) } else { Err(LayoutError::ExtendedWithoutExpress { capability }) }
}

/// C04: the extended list has no pointer to its first capability.
pub const fn extended_start(capability: &str, first: u64) -> Check<'_> {
    if first == EXTENDED.0 {
        return Ok(());
    }
    Err(LayoutError::ExtendedStart { capability, first })
}

/// A capability's mask is no longer than its bytes.
pub const fn capability_bytes(capability: &str, bytes: u64, mask: u64) -> Check<'_> {
    if mask <= bytes {
        Ok(())
    } else {
        Err(LayoutError::CapabilityMask { capability, mask, bytes })
    }
}

/// The most bytes of vital product data.
const VPD_SIZE: u64 = 0x8000;

/// Vital product data have 15-bit addresses.
pub const fn vpd_size(bytes: u64) -> Check<'static> {
    if bytes <= VPD_SIZE { Ok(()) } else { Err(LayoutError::VpdSize { bytes }) }
}

impl LayoutError<'_> {
    pub(super) const fn capability_text(&self) -> Text {
        match *self {
            Self::CapabilityTwice { what } => {
                Text::format("capability `{}` is declared twice; a function has one", &[Str(what)])
            }
            Self::CapabilityMisaligned { capability, offset } => Text::format(
                "capability `{}` must lie at a multiple of 4; {} is not",
                &[Str(capability), Hex(offset)],
            ),
            Self::CapabilityOutside { capability, at, space } => Text::format(
                "capability `{}` at {}..{} must lie in {}..{}",
                &[Str(capability), Hex(at.0), Hex(at.1), Hex(space.0), Hex(space.1)],
            ),
            Self::CapabilitiesTooLong { end, space } => Text::format(
                "capabilities need {} bytes, {} are available ({}..{})",
                &[Dec(end - space.0), Dec(space.1 - space.0), Hex(space.0), Hex(space.1)],
            ),
            Self::ExtendedWithoutExpress { capability } => Text::format(
                "`{}` is an extended capability, which needs `capability(express)`",
                &[Str(capability)],
            ),
            Self::ExtendedStart { capability, first } => Text::format(
                "the list of extended capabilities must start at 0x100; its first one, `{}`, lies at {}",
                &[Str(capability), Hex(first)],
            ),
            Self::CapabilityMask { capability, mask, bytes } => Text::format(
                "the mask of `{}` has {} bytes, the capability {}",
                &[Str(capability), Dec(mask), Dec(bytes)],
            ),
            Self::CapabilityHasName { capability, id, named } => Text::format(
                "`{}` takes other capabilities only; id {} is that of `{}`",
                &[Str(capability), Hex(id), Str(named)],
            ),
            Self::CapabilityWithoutIrq { capability } => Text::format(
                "capability `{}` needs `#[irq({} = ..)]`",
                &[Str(capability), Str(capability)],
            ),
            Self::VpdSize { bytes } => Text::format(
                "capability `vpd` has {} bytes; {} can be addressed",
                &[Dec(bytes), Dec(VPD_SIZE)],
            ),
            Self::WakesFromNowhere { state } => Text::format(
                "capability `pm` wakes from a state that it lacks; `{}` adds it",
                &[Str(state)],
            ),
            _ => self.express_text(),
        }
    }
}
