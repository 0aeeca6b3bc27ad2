//! The rules of places without a model, applied to a whole declaration.

use super::super::Descriptor;
use super::crowded::check_apart_from_earlier;
use super::mirror::bar_of;
use super::shared::check_apart_from_shared;
use crate::layout::{self, Check, Extent, Kind};

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
    let declared = match bar_of(descriptor, &extent, bar) {
        Ok(declared) => declared,
        Err(error) => return Err(error),
    };
    if let Err(error) = layout::inside(&extent, bar, declared.size) {
        return Err(error);
    }
    if let Err(error) = check_apart_from_shared(descriptor, &extent, bar) {
        return Err(error);
    }
    let modelled = descriptor.registers.len() + descriptor.blocks.len() + descriptor.memories.len();
    check_apart_from_earlier(descriptor, modelled + index, crowded)
}

/// Compares a structure of the runtime's, which has pages of its own, with all places without a
/// model.
pub(super) const fn check_apart_from_unmodelled(
    descriptor: &Descriptor,
    structure: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    let mut i = 0;
    while i < descriptor.unmodelled.len() {
        let other = &descriptor.unmodelled[i];
        if other.bar() == bar
            && let Err(error) =
                layout::own_pages(structure, &other.extent(), descriptor.shares_msix_pages)
        {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}
