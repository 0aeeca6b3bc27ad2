//! The rules of raw ranges, applied to a whole declaration.

use super::super::Descriptor;
use crate::layout::{self, Check, Extent};

/// Checks the raw ranges of a BAR.
pub(super) const fn check_raw(descriptor: &Descriptor, index: u8) -> Check<'static> {
    let Some(bar) = &descriptor.bars[index as usize] else { return Ok(()) };
    let mut range_index = 0;
    while range_index < bar.raw_ranges().len() {
        if let Err(error) = check_raw_range(descriptor, index, range_index) {
            return Err(error);
        }
        range_index += 1;
    }
    Ok(())
}

/// Checks one of the raw ranges of a BAR: it lies in the BAR, apart from earlier ranges and
/// from memory that clients map.
pub const fn check_raw_range(
    descriptor: &Descriptor,
    index: u8,
    range_index: usize,
) -> Check<'static> {
    let Some(bar) = &descriptor.bars[index as usize] else { return Ok(()) };
    let range = bar.raw_ranges()[range_index];
    if let Err(error) = layout::raw_range(index, range, bar.size()) {
        return Err(error);
    }
    let mut earlier = 0;
    while earlier < range_index {
        if let Err(error) = layout::raw_apart(index, range, bar.raw_ranges()[earlier]) {
            return Err(error);
        }
        earlier += 1;
    }
    let mut area = 0;
    while area < bar.shared_count() {
        if let Err(error) = layout::raw_apart(index, range, bar.shared_area(area)) {
            return Err(error);
        }
        area += 1;
    }
    Ok(())
}

/// Checks that an extent lies outside the raw ranges.
pub(super) const fn check_apart_from_raw(
    descriptor: &Descriptor,
    extent: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    let Some(declared) = descriptor.bar(bar) else { return Ok(()) };
    let ranges = declared.raw_ranges();
    let mut i = 0;
    while i < ranges.len() {
        if let Err(error) = layout::outside_raw(extent, bar, ranges[i]) {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}
