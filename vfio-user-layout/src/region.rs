//! The rules of regions that PCI does not know.

use super::text::Arg::Dec;
use super::text::Text;
use super::{Check, LayoutError};

/// How many regions of its own a device may have: clients take 256 in all, of which 9 are PCI's.
const MOST_SPECIFIC: u64 = 256 - 9;

/// Not more than clients take.
pub const fn specific_regions(count: u64) -> Check<'static> {
    if count <= MOST_SPECIFIC { Ok(()) } else { Err(LayoutError::TooManyRegions { count }) }
}

/// A region of no bytes is none.
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
