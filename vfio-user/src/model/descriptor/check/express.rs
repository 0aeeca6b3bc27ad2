//! The rules of links and payloads, applied to the capability of a function.

use super::super::{CapabilityKind, Descriptor, Express, ExpressPort};
use crate::layout::Check;

/// The part of `check_capability_options` for the speed of a link.
pub const fn check_link_speed(descriptor: &Descriptor, index: usize) -> Check<'static> {
    express(descriptor, index).check_speed()
}

/// The part of `check_capability_options` for the lanes of a link.
pub const fn check_link_width(descriptor: &Descriptor, index: usize) -> Check<'static> {
    express(descriptor, index).check_width()
}

/// The part of `check_capability_options` for payloads.
pub const fn check_payload(descriptor: &Descriptor, index: usize) -> Check<'static> {
    express(descriptor, index).check_payload()
}

const fn express(descriptor: &Descriptor, index: usize) -> Express {
    match descriptor.capability(index).capability.kind() {
        CapabilityKind::Express(can) => can,
        _ => Express::new(ExpressPort::Endpoint),
    }
}
