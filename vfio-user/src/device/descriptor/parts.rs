//! The parts of a declaration: ids, BARs, capabilities.

use crate::layout::BarKind;

/// The identity of a function (PCI Local Bus Specification 3.0, 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ids {
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// Class code: base class, subclass, programming interface; 24 bits.
    pub class: u32,
    /// Revision id.
    pub revision: u8,
    /// Subsystem vendor id.
    pub subsystem_vendor: u16,
    /// Subsystem id.
    pub subsystem: u16,
}

/// A base address register's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub(super) kind: BarKind,
    pub(super) size: u64,
    pub(super) prefetchable: bool,
    unmapped: Unmapped,
}

/// What an access to a byte of a BAR gets where no register lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unmapped {
    /// Reads give zeros, writes are ignored.
    #[default]
    Zero,
    /// Reads give ones, writes are ignored.
    Ones,
    /// The client gets an error: EINVAL.
    Refuse,
}

/// A PCI capability that a device asks for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Power management (PCI Power Management Interface Specification 1.2).
    Pm,
    /// PCI Express; configuration space has 4096 bytes instead of 256.
    Express,
}

impl Capability {
    /// As it is written in `#[capability(..)]`.
    pub const fn name(self) -> &'static str {
        match self {
            Capability::Pm => "pm",
            Capability::Express => "express",
        }
    }
}

impl Bar {
    /// `size` bytes of memory or ports.
    pub const fn new(kind: BarKind, size: u64) -> Self {
        Bar { kind, size, prefetchable: false, unmapped: Unmapped::Zero }
    }

    /// Reads have no side effects.
    #[must_use]
    pub const fn prefetchable(mut self) -> Self {
        self.prefetchable = true;
        self
    }

    /// What bytes without a register do.
    #[must_use]
    pub const fn unmapped(mut self, unmapped: Unmapped) -> Self {
        self.unmapped = unmapped;
        self
    }

    /// Memory or ports, and how wide its address is.
    pub const fn kind(&self) -> BarKind {
        self.kind
    }

    /// In bytes; a power of two.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether reads have no side effects.
    pub const fn is_prefetchable(&self) -> bool {
        self.prefetchable
    }

    /// What bytes without a register do.
    pub const fn unmapped_policy(&self) -> Unmapped {
        self.unmapped
    }
}
