//! The list of a function's capabilities, and their places.

use super::{Capability, CapabilityKind, Descriptor, ExpressPort, OwnedCapability};
use crate::layout::{CAPABILITIES, EXTENDED, Extent, Kind};

/// The capabilities that follow from interrupts if the author does not name them.
const IMPLIED: [Capability; 2] = [Capability::msi(), Capability::msix()];

/// A capability in the list of a function.
#[derive(Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub(crate) capability: &'a Capability,
    /// The bytes behind the fixed part.
    pub(crate) bytes: &'a [u8],
    /// The bits of those bytes that software may write; bytes beyond the end of this mask are
    /// read-only.
    pub(crate) writable: &'a [u8],
}

impl<'a> Listed<'a> {
    const fn of(capability: &'a Capability) -> Self {
        Listed { capability, bytes: capability.bytes, writable: capability.writable }
    }

    /// The size in configuration space, in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.capability.size(self.bytes.len())
    }
}

/// All capabilities: those of the declaration, those that `configure` added, and behind them MSI
/// and MSI-X unless the author names them.
impl Descriptor {
    /// Returns all capabilities and their offsets, in the order of the list.
    pub fn capabilities_at(&self) -> impl Iterator<Item = (&Capability, u16)> {
        (0..self.capability_count()).map(|index| {
            let offset = u16::try_from(self.capability_span(index).0).unwrap_or(u16::MAX);
            (self.capability(index).capability, offset)
        })
    }

    /// Returns the offset of the first capability with an id; see
    /// [`capability_id`](crate::pci::spec::capability_id).
    pub fn find_capability(&self, id: u8) -> Option<u16> {
        let mut all = self.capabilities_at();
        all.find(|(capability, _)| !capability.is_extended() && capability.id() == u16::from(id))
            .map(|(_, offset)| offset)
    }

    /// Returns the offset of the first extended capability with an id; see
    /// [`extended_id`](crate::pci::spec::extended_id).
    pub fn find_extended_capability(&self, id: u16) -> Option<u16> {
        let mut all = self.capabilities_at();
        all.find(|(capability, _)| capability.is_extended() && capability.id() == id)
            .map(|(_, offset)| offset)
    }

    /// Returns whether this is a PCI Express function.
    pub const fn is_express(&self) -> bool {
        self.names(&Capability::express(ExpressPort::Endpoint))
    }

    /// Returns the number of capabilities of the function.
    pub(crate) const fn capability_count(&self) -> usize {
        let mut count = self.capabilities.len() + self.added.len();
        let mut index = 0;
        while index < IMPLIED.len() {
            if self.is_implied(&IMPLIED[index]) {
                count += 1;
            }
            index += 1;
        }
        count
    }

    /// Returns a capability by its index.
    pub(crate) const fn capability(&self, index: usize) -> Listed<'_> {
        let (declared, added) = (self.capabilities.len(), self.added.as_slice());
        if index < declared {
            return Listed::of(&self.capabilities[index]);
        }
        let index = index - declared;
        if index < added.len() {
            let OwnedCapability { capability, bytes, writable } = &added[index];
            let (bytes, writable) = (bytes.as_slice(), writable.as_slice());
            return Listed { capability, bytes, writable };
        }
        let is_first = index == added.len() && self.is_implied(&IMPLIED[0]);
        Listed::of(&IMPLIED[if is_first { 0 } else { 1 }])
    }

    /// Returns whether the function has the capability although it is not declared.
    const fn is_implied(&self, capability: &Capability) -> bool {
        self.has_interrupts_of(capability.kind()) && !self.names(capability)
    }

    pub(super) const fn has_interrupts_of(&self, kind: CapabilityKind) -> bool {
        match kind {
            CapabilityKind::Msi(_) => self.msi != 0,
            CapabilityKind::Msix => self.msix.is_some(),
            _ => true,
        }
    }

    const fn names(&self, wanted: &Capability) -> bool {
        let named = self.capabilities.len() + self.added.len();
        let mut index = 0;
        while index < named {
            if self.capability(index).capability.is_another(wanted) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Returns the start and end of a capability in configuration space.
    ///
    /// A capability lies at its declared offset, or else behind the one before it, where it
    /// overlaps none with a declared offset. Capabilities that `configure` adds leave the declared
    /// ones in index.
    pub(crate) const fn capability_span(&self, index: usize) -> (u64, u64) {
        let wanted = self.capability(index);
        let is_extended = wanted.capability.is_extended();
        if let Some(at) = wanted.capability.offset() {
            return (at, at.saturating_add(wanted.size()));
        }
        let mut start = if is_extended { EXTENDED.0 } else { CAPABILITIES.0 };
        let mut earlier = 0;
        loop {
            let listed = self.capability(earlier);
            let (capability, size) = (listed.capability, listed.size());
            if capability.is_extended() == is_extended && capability.offset().is_none() {
                start = self.behind_fixed(start, earlier);
                if earlier == index {
                    return (start, start.saturating_add(size));
                }
                start = start.saturating_add(size);
            }
            earlier += 1;
        }
    }

    /// Returns the first offset from `start` on where the capability fits.
    const fn behind_fixed(&self, start: u64, wanted: usize) -> u64 {
        let (capability, size) =
            (self.capability(wanted).capability, self.capability(wanted).size());
        let declared = self.capabilities.len();
        let count = if wanted < declared { declared } else { self.capability_count() };
        let mut start = align(start, capability.alignment());
        let mut index = 0;
        while index < count {
            let fixed = self.capability(index);
            if let Some(at) = fixed.capability.offset()
                && fixed.capability.is_extended() == capability.is_extended()
            {
                let end = at.saturating_add(fixed.size());
                if start < end && at < start.saturating_add(size) {
                    start = align(end, capability.alignment());
                    // The new offset may overlap an earlier one.
                    index = 0;
                    continue;
                }
            }
            index += 1;
        }
        start
    }

    pub(super) const fn capability_extent(&self, index: usize) -> Extent<'static> {
        let (start, end) = self.capability_span(index);
        Extent::single(self.capability(index).capability.name(), start, end - start)
            .of(Kind::Capability)
    }
}

/// Returns the offset of the registers that a capability holds.
pub const fn capability_body(descriptor: &Descriptor, index: usize) -> u64 {
    let capability = descriptor.capability(index).capability;
    descriptor.capability_span(index).0.saturating_add(capability.body())
}

/// Rounds up. An offset that is too large stays too large.
const fn align(offset: u64, alignment: u64) -> u64 {
    match offset.checked_next_multiple_of(alignment) {
        Some(aligned) => aligned,
        None => u64::MAX,
    }
}
