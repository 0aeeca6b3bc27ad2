//! The rules that memory and places without a model share.

use super::super::Descriptor;
use super::crowded::check_apart_from_earlier;
use super::mirror::bar_of;
use super::shared::check_apart_from_shared;
use crate::layout::{self, Check, Extent};

/// Checks a range of a BAR, which is number `place` of all that is declared: it lies in its BAR,
/// apart from memory that clients map, and from all that is declared before it. Of these only the
/// `crowded` ones are compared with each other.
pub(super) const fn check_range(
    descriptor: &Descriptor,
    extent: &Extent<'static>,
    bar: u8,
    place: usize,
    crowded: &[bool],
) -> Check<'static> {
    let declared = match bar_of(descriptor, extent, bar) {
        Ok(declared) => declared,
        Err(error) => return Err(error),
    };
    if let Err(error) = layout::inside(extent, bar, declared.size) {
        return Err(error);
    }
    if let Err(error) = check_apart_from_shared(descriptor, extent, bar) {
        return Err(error);
    }
    check_apart_from_earlier(descriptor, place, crowded)
}

/// Compares a structure of the runtime's, which has pages of its own, with all memories and all
/// places without a model.
pub(super) const fn check_apart_from_ranges(
    descriptor: &Descriptor,
    structure: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    let (memories, unmodelled) = (descriptor.memories, descriptor.unmodelled);
    let mut i = 0;
    while i < memories.len() + unmodelled.len() {
        let (at, extent) = if i < memories.len() {
            (memories[i].bar(), memories[i].extent())
        } else {
            let place = &unmodelled[i - memories.len()];
            (place.bar(), place.extent())
        };
        if at == bar
            && let Err(error) = layout::own_pages(structure, &extent, descriptor.shares_msix_pages)
        {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}
