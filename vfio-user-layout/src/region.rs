//! The rules of device-specific regions.

use super::text::Arg::Dec;
use super::text::Text;
use super::{Check, LayoutError};

/// The most regions of its own that a device may have: clients accept 256 in all, and PCI has 9 of
/// them.
const MOST_SPECIFIC: u64 = 256 - 9;

/// A device has no more regions than clients accept.
pub const fn specific_regions(count: u64) -> Check<'static> {
    if count <= MOST_SPECIFIC { Ok(()) } else { Err(LayoutError::TooManyRegions { count }) }
}

/// A region has at least one byte.
pub const fn specific_region(region: u32, size: u64) -> Check<'static> {
    if size > 0 { Ok(()) } else { Err(LayoutError::EmptyRegion { region }) }
}

impl LayoutError<'_> {
    pub(super) const fn region_text(&self) -> Text {
        match *self {
            Self::TooManyRegions { count } => Text::format(
                "{} regions of the device's own are more than the {} that clients take",
                &[Dec(count), Dec(MOST_SPECIFIC)],
            ),
            Self::EmptyRegion { region } => {
                Text::format("region {} has no bytes", &[Dec(region as u64)])
            }
            _ => self.behaviour_text(),
        }
    }
}
