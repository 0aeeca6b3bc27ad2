//! The rules of mirrors, applied to a whole declaration.

use super::super::{Bar, Descriptor};
use crate::layout::{self, Check, Extent, LayoutError, Mirrored};

/// Checks that a mirror shows another BAR, and is no larger.
pub const fn check_mirror(descriptor: &Descriptor, index: u8) -> Check<'static> {
    let Some(bar) = descriptor.bar(index) else { return Ok(()) };
    let Some(mirrored) = bar.mirrored() else { return Ok(()) };
    if let Err(error) = layout::mirror_target(index, mirrored) {
        return Err(error);
    }
    let behind = match descriptor.bar(mirrored) {
        Some(behind) => {
            let (size, mirrors) = (behind.size(), behind.mirrored());
            Some(Mirrored { bar: mirrored, size, mirrors })
        }
        None => None,
    };
    if let Err(error) = layout::mirror_depth(index, mirrored, behind) {
        return Err(error);
    }
    if bar.is_shared() {
        return Err(LayoutError::MirrorShared { bar: index, mirrored });
    }
    if let Some(msix) = descriptor.msix
        && msix.bar == mirrored
    {
        return Err(LayoutError::MirrorOfMsix { bar: index, mirrored });
    }
    match behind {
        Some(behind) => layout::mirror_size(index, bar.size(), behind),
        None => Ok(()),
    }
}

/// Returns the BAR in which something lies: a declared one that is no mirror.
pub(super) const fn bar_of(
    descriptor: &Descriptor,
    extent: &Extent<'static>,
    bar: u8,
) -> Result<Bar, LayoutError<'static>> {
    let Extent { kind, name, .. } = *extent;
    let Some(declared) = descriptor.bar(bar) else {
        return Err(LayoutError::MissingBar { kind, register: name, bar });
    };
    match declared.mirrored() {
        Some(mirrored) => Err(LayoutError::InMirror { kind, name, bar, mirrored }),
        None => Ok(declared),
    }
}
