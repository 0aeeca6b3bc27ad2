//! The rules of capabilities, applied to those of a function.

use super::super::{CapabilityKind, Descriptor};
use crate::layout::{self, Check, LayoutError};

/// Checks a capability, and that it does not overlap those before it.
pub(super) fn check_capability(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let capability = descriptor.capability(index).capability;
    if !descriptor.has_interrupts_of(capability.kind()) {
        return Err(LayoutError::CapabilityWithoutIrq { capability: capability.name() });
    }
    if capability.is_extended() {
        layout::extended_allowed(capability.name(), descriptor.is_express())?;
    }
    check_capability_id(descriptor, index)?;
    check_capability_version(descriptor, index)?;
    check_capability_mask(descriptor, index)?;
    check_capability_options(descriptor, index)?;
    check_once(descriptor, index)?;
    check_capability_place(descriptor, index)
}

/// C05: a function has a capability once.
fn check_once(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let capability = descriptor.capability(index).capability;
    let mut earlier = (0..index).map(|earlier| descriptor.capability(earlier).capability);
    if !capability.has_bytes() && earlier.any(|earlier| earlier.is_another(capability)) {
        return Err(LayoutError::CapabilityTwice { what: capability.name() });
    }
    Ok(())
}

/// The part of `check_capability` for the id.
pub const fn check_capability_id(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let capability = descriptor.capability(index).capability;
    let Some(named) = capability.namesake() else { return Ok(()) };
    let (id, capability) = (capability.id() as u64, capability.name());
    Err(LayoutError::CapabilityHasName { capability, id, named })
}

/// The part of `check_capability` for the version, or the revision in it.
pub const fn check_capability_version(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let (what, version) = match descriptor.capability(index).capability.kind() {
        CapabilityKind::Vsec { revision, .. } => ("VSEC revision", revision),
        CapabilityKind::Dvsec { revision, .. } => ("DVSEC revision", revision),
        CapabilityKind::Extended { version, .. } => ("capability version", version),
        _ => return Ok(()),
    };
    layout::id(what, version as u64, 4)
}

/// The part of `check_capability` for the options of the function.
pub const fn check_capability_options(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let listed = descriptor.capability(index);
    match listed.capability.kind() {
        CapabilityKind::Pm(power) => power.check(),
        CapabilityKind::Express(can) => can.check(),
        CapabilityKind::Vpd => layout::vpd_size(listed.bytes.len() as u64),
        _ => Ok(()),
    }
}

/// The part of `check_capability` for the writable bits.
pub const fn check_capability_mask(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let listed = descriptor.capability(index);
    let (bytes, mask) = (listed.bytes.len() as u64, listed.writable.len() as u64);
    layout::capability_bytes(listed.capability.name(), bytes, mask)
}

/// The part of `check_capability` for the place.
pub const fn check_capability_place(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let capability = descriptor.capability(index).capability;
    let (span, is_extended) = (descriptor.capability_span(index), capability.is_extended());
    let fits = match capability.offset() {
        Some(_) => layout::capability_place(capability.name(), span, is_extended),
        None => {
            layout::capability_fits(span, capabilities_end(descriptor, is_extended), is_extended)
        }
    };
    if let Err(error) = fits {
        return Err(error);
    }
    if let Some((offset, header)) = capability.register_in_header() {
        let capability = capability.name();
        return Err(LayoutError::CapabilityHeader { capability, offset, header });
    }
    let extent = descriptor.capability_extent(index);
    let mut earlier = 0;
    while earlier < index {
        if let Err(error) = layout::disjoint(&extent, &descriptor.capability_extent(earlier)) {
            return Err(error);
        }
        earlier += 1;
    }
    if is_extended && is_lowest_extended(descriptor, index) {
        return layout::extended_start(capability.name(), span.0);
    }
    Ok(())
}

/// The end of the last capability without a declared offset.
const fn capabilities_end(descriptor: &Descriptor, is_extended: bool) -> u64 {
    let (mut end, mut index) = (0, 0);
    while index < descriptor.capability_count() {
        let capability = descriptor.capability(index).capability;
        let span = descriptor.capability_span(index);
        if capability.offset().is_none() && capability.is_extended() == is_extended && span.1 > end
        {
            end = span.1;
        }
        index += 1;
    }
    end
}

const fn is_lowest_extended(descriptor: &Descriptor, index: usize) -> bool {
    let (start, _) = descriptor.capability_span(index);
    let count = descriptor.capability_count();
    let mut other = 0;
    while other < count {
        if descriptor.capability(other).capability.is_extended()
            && descriptor.capability_span(other).0 < start
        {
            return false;
        }
        other += 1;
    }
    true
}
