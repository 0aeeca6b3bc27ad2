//! The rules of capabilities, applied to those of a function.

use super::{CapabilityKind, Descriptor};
use crate::layout::{self, Check, LayoutError};

impl Descriptor {
    /// Checks a capability, and that it does not overlap those before it.
    pub(super) fn check_capability(&self, index: usize) -> Check<'static> {
        let capability = self.capability(index).capability;
        if !self.has_interrupts_of(capability.kind()) {
            return Err(LayoutError::CapabilityWithoutIrq { capability: capability.name() });
        }
        if capability.is_extended() {
            layout::extended_allowed(capability.name(), self.is_express())?;
        }
        self.check_capability_id(index)?;
        self.check_capability_version(index)?;
        self.check_capability_mask(index)?;
        self.check_capability_options(index)?;
        self.check_once(index)?;
        self.check_capability_place(index)
    }

    /// C05: a function has a capability once.
    fn check_once(&self, index: usize) -> Check<'static> {
        let capability = self.capability(index).capability;
        let mut earlier = (0..index).map(|earlier| self.capability(earlier).capability);
        if !capability.has_bytes() && earlier.any(|earlier| earlier.is_another(capability)) {
            return Err(LayoutError::CapabilityTwice { what: capability.name() });
        }
        Ok(())
    }

    /// The part of `check_capability` for the id.
    #[doc(hidden)]
    pub const fn check_capability_id(&self, index: usize) -> Check<'static> {
        let capability = self.capability(index).capability;
        let Some(named) = capability.namesake() else { return Ok(()) };
        let (id, capability) = (capability.id() as u64, capability.name());
        Err(LayoutError::CapabilityHasName { capability, id, named })
    }

    /// The part of `check_capability` for the version, or the revision in it.
    #[doc(hidden)]
    pub const fn check_capability_version(&self, index: usize) -> Check<'static> {
        let (what, version) = match self.capability(index).capability.kind() {
            CapabilityKind::Vsec { revision, .. } => ("VSEC revision", revision),
            CapabilityKind::Dvsec { revision, .. } => ("DVSEC revision", revision),
            CapabilityKind::Extended { version, .. } => ("capability version", version),
            _ => return Ok(()),
        };
        layout::id(what, version as u64, 4)
    }

    /// The part of `check_capability` for the options of the function.
    #[doc(hidden)]
    pub const fn check_capability_options(&self, index: usize) -> Check<'static> {
        let listed = self.capability(index);
        match listed.capability.kind() {
            CapabilityKind::Pm(power) => power.check(),
            CapabilityKind::Vpd => layout::vpd_size(listed.bytes.len() as u64),
            _ => Ok(()),
        }
    }

    /// The part of `check_capability` for the writable bits.
    #[doc(hidden)]
    pub const fn check_capability_mask(&self, index: usize) -> Check<'static> {
        let listed = self.capability(index);
        let (bytes, mask) = (listed.bytes.len() as u64, listed.writable.len() as u64);
        layout::capability_bytes(listed.capability.name(), bytes, mask)
    }

    /// The part of `check_capability` for the place.
    #[doc(hidden)]
    pub const fn check_capability_place(&self, index: usize) -> Check<'static> {
        let capability = self.capability(index).capability;
        let (span, is_extended) = (self.capability_span(index), capability.is_extended());
        let fits = match capability.offset() {
            Some(_) => layout::capability_place(capability.name(), span, is_extended),
            None => layout::capability_fits(span, self.capabilities_end(is_extended), is_extended),
        };
        if let Err(error) = fits {
            return Err(error);
        }
        let extent = self.capability_extent(index);
        let mut earlier = 0;
        while earlier < index {
            if let Err(error) = layout::disjoint(&extent, &self.capability_extent(earlier)) {
                return Err(error);
            }
            earlier += 1;
        }
        if is_extended && self.is_lowest_extended(index) {
            return layout::extended_start(capability.name(), span.0);
        }
        Ok(())
    }

    /// The end of the last capability without a declared offset.
    const fn capabilities_end(&self, is_extended: bool) -> u64 {
        let (mut end, mut index) = (0, 0);
        while index < self.capability_count() {
            let capability = self.capability(index).capability;
            let span = self.capability_span(index);
            if capability.offset().is_none()
                && capability.is_extended() == is_extended
                && span.1 > end
            {
                end = span.1;
            }
            index += 1;
        }
        end
    }

    const fn is_lowest_extended(&self, index: usize) -> bool {
        let (start, _) = self.capability_span(index);
        let count = self.capability_count();
        let mut other = 0;
        while other < count {
            if self.capability(other).capability.is_extended()
                && self.capability_span(other).0 < start
            {
                return false;
            }
            other += 1;
        }
        true
    }
}
