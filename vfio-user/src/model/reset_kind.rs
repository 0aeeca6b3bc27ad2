//! The kinds of reset, and what they cover.

use super::BlockElement;
use crate::layout::SOFT_DOMAINS;

/// The reason for a reset of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetKind {
    /// The client requested a reset (`VFIO_USER_DEVICE_RESET`): power-on, or a reset of the bus.
    Device,
    /// The guest reset the function alone (PCI Express Base Specification, 6.6.2).
    FunctionLevel,
    /// The guest brought the function back from D3hot to D0 (PCI Power Management Interface
    /// Specification 1.2, 5.4), and it has a soft reset.
    PowerState,
    /// A hook reset its own device by [`Cx::soft_reset`](crate::Cx::soft_reset), in this domain.
    Soft(u8),
}

/// Kinds of reset over which a register or a block keeps its value. The resets of the client and of
/// power states are never among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetSet {
    function_level: bool,
    /// A bit for each domain.
    soft: u8,
}

impl ResetSet {
    /// No reset.
    pub const EMPTY: ResetSet = ResetSet { function_level: false, soft: 0 };

    /// Adds the function-level reset.
    #[must_use]
    pub const fn with_function_level(mut self) -> Self {
        self.function_level = true;
        self
    }

    /// Adds the soft reset of a domain.
    ///
    /// # Panics
    ///
    /// If the domain is above 7.
    #[must_use]
    pub const fn with_soft(mut self, domain: u8) -> Self {
        assert!(domain < SOFT_DOMAINS, "domains of soft resets are 0 to 7");
        self.soft |= 1 << domain;
        self
    }

    /// Returns the resets that are in this set or in `other`.
    #[must_use]
    pub const fn union(self, other: ResetSet) -> Self {
        ResetSet {
            function_level: self.function_level || other.function_level,
            soft: self.soft | other.soft,
        }
    }

    /// Returns whether it contains a kind of reset.
    pub const fn contains(self, kind: ResetKind) -> bool {
        match kind {
            ResetKind::Device | ResetKind::PowerState => false,
            ResetKind::FunctionLevel => self.function_level,
            ResetKind::Soft(domain) => domain < SOFT_DOMAINS && self.soft & 1 << domain != 0,
        }
    }

    /// Returns the domains of its soft resets.
    pub fn soft_domains(self) -> impl Iterator<Item = u8> + use<> {
        (0..SOFT_DOMAINS).filter(move |domain| self.contains(ResetKind::Soft(*domain)))
    }
}

/// The registers that a reset covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetScope {
    /// All that do not keep their values over this kind.
    Device(ResetKind),
    /// Those of one element of a block that are not sticky.
    Element(BlockElement),
}
