//! Places of a BAR that are known by name, and have no model.

use crate::layout::{Extent, Kind};

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

    /// Places the range in another BAR than 0.
    #[must_use]
    pub const fn with_bar(mut self, bar: u8) -> Self {
        self.bar = bar;
        self
    }

    /// Makes the range read zero, whatever is written.
    #[must_use]
    pub const fn without_storage(mut self) -> Self {
        self.reads_zero = true;
        self
    }

    /// Returns the name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the index of the BAR.
    pub const fn bar(&self) -> u8 {
        self.bar
    }

    /// Returns the offset of the first byte in the BAR.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Returns the end in the BAR, exclusive.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Returns the number of bytes.
    pub const fn size(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether what is written is held; if not, the range reads zero.
    pub const fn is_stored(&self) -> bool {
        !self.reads_zero
    }

    /// Returns the place of the range in its BAR.
    pub const fn extent(&self) -> Extent<'static> {
        Extent::single(self.name, self.start, self.size()).of(Kind::Unmodelled)
    }
}
