//! The rules of a layout, applied to registers and blocks of configuration space.

use super::super::Descriptor;
use crate::layout::{self, Check, Extent};

/// C06: the runtime owns the rest of the header and all capabilities.
pub(super) const fn check_in_config(
    descriptor: &Descriptor,
    extent: &Extent<'static>,
) -> Check<'static> {
    if let Err(error) = layout::in_config(extent, descriptor.config_size() as u64) {
        return Err(error);
    }
    let (mut index, count) = (0, descriptor.capability_count());
    while index < count {
        if let Err(error) = layout::disjoint(extent, &descriptor.capability_extent(index)) {
            return Err(error);
        }
        index += 1;
    }
    Ok(())
}
