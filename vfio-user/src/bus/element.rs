//! What an offset of a BAR leads to.

use crate::model::Slot;

/// The target at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A register of the device or of one of its blocks, element 0.
    Register(Slot),
    /// The MSI-X table.
    MsixTable,
    /// The MSI-X pending bits.
    MsixPba,
}

/// An element of a register, or a quadword of an MSI-X structure, at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) target: Target,
    /// The index in the register, or of the quadword.
    pub(crate) index: usize,
    /// The start, from the start of the BAR.
    pub(crate) start: u64,
    /// The end, exclusive.
    pub(crate) end: u64,
}

/// The properties of an access that decide which register answers, of those that share bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccessKind {
    pub(crate) is_write: bool,
    /// The bytes of the access on the bus, of which a register may get some.
    pub(crate) size: usize,
}

/// Bytes for which nothing answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The next byte for which something may answer; `None` if there is none.
    pub(crate) end: Option<u64>,
    /// A register that lies there, but does not answer.
    pub(crate) silent: Option<Silent>,
}

/// A register that does not answer an access to its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silent {
    pub(crate) slot: Slot,
    pub(crate) reason: Silence,
}

/// The reason why a register does not answer, the less specific ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silence {
    /// The access has the other direction.
    Direction,
    /// The access has another size.
    Size,
    /// The condition does not hold for this value.
    Condition(u64),
    /// There is no element with this index.
    Index(u64),
    /// A block, the index of whose declaration comes first, has no element with this index.
    BlockIndex(usize, u64),
    /// The device has no such register.
    Absent,
}

/// The element that answers, or bytes for which none does.
pub(crate) type Found = Result<Element, Gap>;

impl Silent {
    /// Returns whether the access has met its register, which has no such element.
    pub(crate) fn is_index(&self) -> bool {
        matches!(self.reason, Silence::Index(_) | Silence::BlockIndex(..))
    }
}
