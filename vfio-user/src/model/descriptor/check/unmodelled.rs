//! The rules of places without a model, applied to a whole declaration.

use super::super::Descriptor;
use super::range::check_range;
use crate::layout::{self, Check, Kind};

/// Checks a place without a model: it lies in its BAR, apart from all registers, blocks, memories
/// and earlier places, and from memory that clients map. Of these only the `crowded` ones are
/// compared with each other.
pub const fn check_unmodelled(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    let place = &descriptor.unmodelled[index];
    let (bar, extent) = (place.bar(), place.extent());
    let (name, start, end) = (place.name(), place.start(), place.end());
    let range = if place.is_stored() {
        layout::memory_range(Kind::Unmodelled, name, start, end)
    } else {
        layout::nonempty_range(Kind::Unmodelled, name, start, end)
    };
    if let Err(error) = range {
        return Err(error);
    }
    let modelled = descriptor.registers.len() + descriptor.own_blocks + descriptor.memories.len();
    check_range(descriptor, &extent, bar, modelled + index, crowded)
}
