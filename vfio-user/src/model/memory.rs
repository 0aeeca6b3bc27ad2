//! Memory of a device that clients access by messages.

use super::place_in_bar::place_in_bar;
use crate::layout::Kind;

/// A range of a BAR that holds plain bytes of the device. Clients do not map it: they read and
/// write it by messages, of any length and alignment.
///
/// ```
/// use vfio_user::declaration::{MemoryRange, MemoryReset};
///
/// const PACKETS: MemoryRange =
///     MemoryRange::new("packets", 0x4000, 0x8000).with_bar(1).with_reset(MemoryReset::Zero);
/// assert_eq!(PACKETS.size(), 0x4000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    name: &'static str,
    bar: u8,
    start: u64,
    end: u64,
    reset: MemoryReset,
    has_hook: bool,
    doc: &'static str,
}

/// The bytes of a memory after a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryReset {
    /// Those that the device was constructed with.
    #[default]
    Constructed,
    /// Zeros, from construction on.
    Zero,
    /// Those before the reset.
    Keep,
}

impl MemoryRange {
    /// Declares bytes `start..end` of BAR 0 as memory.
    pub const fn new(name: &'static str, start: u64, end: u64) -> Self {
        MemoryRange {
            name,
            bar: 0,
            start,
            end,
            reset: MemoryReset::Constructed,
            has_hook: false,
            doc: "",
        }
    }

    /// Sets the effect of a reset.
    #[must_use]
    pub const fn with_reset(mut self, reset: MemoryReset) -> Self {
        self.reset = reset;
        self
    }

    /// Lets [`PciDevice::memory_written`](crate::PciDevice::memory_written) run after every write.
    #[must_use]
    pub const fn with_hook(mut self) -> Self {
        self.has_hook = true;
        self
    }

    /// Sets the author's documentation.
    #[must_use]
    pub const fn with_doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns the effect of a reset.
    pub const fn reset(&self) -> MemoryReset {
        self.reset
    }

    /// Returns whether a hook runs after every write.
    pub const fn has_hook(&self) -> bool {
        self.has_hook
    }

    /// Returns the author's documentation.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }
}

place_in_bar!(MemoryRange, Kind::Memory);
