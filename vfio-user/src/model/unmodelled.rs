//! Places of a BAR that are known by name, and have no model.

use super::place_in_bar::place_in_bar;
use crate::layout::Kind;

/// A named range of a BAR without behaviour: it holds what is written, or reads zero.
///
/// ```
/// use vfio_user::declaration::UnmodelledRange;
///
/// const PHYCTL: UnmodelledRange = UnmodelledRange::word("PHYCTL", 0x40);
/// const DEBUG: UnmodelledRange = UnmodelledRange::new("DEBUG", 0x100, 0x200).without_storage();
/// assert_eq!((PHYCTL.size(), DEBUG.size()), (4, 0x100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnmodelledRange {
    name: &'static str,
    bar: u8,
    start: u64,
    end: u64,
    reads_zero: bool,
}

impl UnmodelledRange {
    /// Declares bytes `start..end` of BAR 0, which hold what is written.
    pub const fn new(name: &'static str, start: u64, end: u64) -> Self {
        UnmodelledRange { name, bar: 0, start, end, reads_zero: false }
    }

    /// Declares the 32-bit word at `offset`.
    pub const fn word(name: &'static str, offset: u64) -> Self {
        Self::new(name, offset, offset.saturating_add(4))
    }

    /// Makes the range read zero, whatever is written.
    #[must_use]
    pub const fn without_storage(mut self) -> Self {
        self.reads_zero = true;
        self
    }

    /// Returns whether what is written is held; if not, the range reads zero.
    pub const fn is_stored(&self) -> bool {
        !self.reads_zero
    }
}

place_in_bar!(UnmodelledRange, Kind::Unmodelled);
