//! The rules of BARs, applied to those of a declaration.

use super::super::Descriptor;
use crate::layout::{self, BarKind, Check};

/// Checks the size and the place of a BAR.
///
/// # Errors
///
/// The first rule that is violated.
pub const fn check_bar(descriptor: &Descriptor, index: u8) -> Check<'static> {
    let Some(bar) = descriptor.bars[index as usize] else { return Ok(()) };
    if let Err(error) = layout::bar_size(index, bar.kind, bar.size, descriptor.is_express()) {
        return Err(error);
    }
    if bar.prefetchable
        && let Err(error) = layout::prefetchable(index, bar.kind)
    {
        return Err(error);
    }
    layout::bar_pair(index, bar_kinds(descriptor))
}

const fn bar_kinds(descriptor: &Descriptor) -> [Option<BarKind>; 6] {
    let mut kinds = [None; 6];
    let mut bar = 0;
    while bar < 6 {
        if let Some(declared) = descriptor.bars[bar] {
            kinds[bar] = Some(declared.kind);
        }
        bar += 1;
    }
    kinds
}

/// Checks the sizes that a BAR accepts, and the parts that accept others.
pub(super) const fn check_accesses(descriptor: &Descriptor, index: u8) -> Check<'static> {
    let Some(bar) = &descriptor.bars[index as usize] else { return Ok(()) };
    let sizes = bar.sizes;
    if let Err(error) = layout::access_sizes(index, sizes.smallest(), sizes.largest()) {
        return Err(error);
    }
    let mut part = 0;
    while part < bar.sizes_in.len() {
        if let Err(error) = check_access(descriptor, index, part) {
            return Err(error);
        }
        part += 1;
    }
    Ok(())
}

/// Checks a part of a BAR that accepts other sizes than the rest.
pub const fn check_access(descriptor: &Descriptor, index: u8, part: usize) -> Check<'static> {
    let Some(bar) = &descriptor.bars[index as usize] else { return Ok(()) };
    let own = bar.sizes_in[part];
    let range = (own.start, own.end);
    let sizes = own.sizes;
    if let Err(error) = layout::access_sizes(index, sizes.smallest(), sizes.largest()) {
        return Err(error);
    }
    if let Err(error) = layout::access_range(index, range, bar.size) {
        return Err(error);
    }
    let mut earlier = 0;
    while earlier < part {
        let other = bar.sizes_in[earlier];
        if let Err(error) = layout::access_apart(index, range, (other.start, other.end)) {
            return Err(error);
        }
        earlier += 1;
    }
    Ok(())
}
