//! The names of what an access reaches.

use std::fmt;

use super::PciFunction;
use crate::bus::{AccessKind, PlaceName, RegisterName};
use crate::device::PciDevice;
use crate::layout;
use crate::protocol::RegionIndex;

/// `edu.status`, `PHYCTL`, `edu, BAR 0 at 0x20`: what an access reaches, by its name if it has one.
pub(crate) struct AccessedPlace<'a, D: PciDevice> {
    pub(crate) function: &'a PciFunction<D>,
    pub(crate) region: RegionIndex,
    pub(crate) offset: u64,
    pub(crate) access: AccessKind,
}

impl<D: PciDevice> fmt::Display for AccessedPlace<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccessedPlace { function, region, offset, access } = *self;
        let descriptor = function.descriptor();
        let device = descriptor.name();
        let bar = region.bar().and_then(|bar| u8::try_from(bar).ok());
        let config = (region == RegionIndex::Config).then_some(layout::CONFIG);
        let slot = bar.or(config).and_then(|bar| function.slot_at(bar, offset, access));
        if let Some((slot, _)) = slot {
            return write!(f, "{}", RegisterName { descriptor, slot });
        }
        let mut places = descriptor.unmodelled().iter();
        let is_it = |start, end| (start..end).contains(&offset);
        let place = places.find(|one| Some(one.bar()) == bar && is_it(one.start(), one.end()));
        match place {
            Some(place) => write!(f, "{}", PlaceName { device, place, offset }),
            None => write!(f, "{device}, {region} at {offset:#x}"),
        }
    }
}
