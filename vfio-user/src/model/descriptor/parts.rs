//! The parts of a declaration: ids, BARs.

use std::ops::Range;

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

/// The range of a base address register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub(super) kind: BarKind,
    pub(super) size: u64,
    pub(super) prefetchable: bool,
    unmapped: Unmapped,
    unaligned: Unaligned,
    pub(super) sizes: Sizes,
    pub(super) sizes_in: &'static [SizesIn],
    shared: Option<&'static [(u64, u64)]>,
    pub(super) watching: Watching,
    mirrors: Option<u8>,
    raw: &'static [(u64, u64)],
    pub(super) big: bool,
}

/// How a device notices writes to the `watch` registers of a BAR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Watching {
    /// Clients map the memory, and the device's thread polls it.
    #[default]
    ByDevice,
    /// Clients map the memory, and threads of the device poll it: a [`Worker`](crate::Worker).
    /// Hooks run for messages alone.
    ByThreads,
    /// Clients do not map the BAR. Every write is a message, and hooks run for it, as for registers
    /// without `watch`. The device needs no time while nothing is written.
    ByMessages,
}

/// The handling of unaligned accesses: those whose offset in the BAR is not a multiple of their
/// size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unaligned {
    /// The access is split at the ends of registers, like any other.
    #[default]
    Split,
    /// The access is ignored, as if it met no register.
    Ignore,
}

/// The sizes of accesses that a BAR accepts, in bytes. Accesses of other sizes are ignored, as if
/// they met no register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    smallest: u8,
    largest: u8,
}

/// The sizes of accesses that a part of a BAR accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizesIn {
    /// The first byte, from the start of the BAR.
    pub start: u64,
    /// The end, exclusive.
    pub end: u64,
    /// The sizes that are accepted there.
    pub sizes: Sizes,
}

/// The handling of an access to bytes of a BAR without a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unmapped {
    /// Reads return zeros, writes are ignored.
    #[default]
    Zero,
    /// Reads return ones, writes are ignored.
    Ones,
    /// The client receives an error, `EINVAL`.
    Refuse,
}

impl Sizes {
    /// Every size on a bus: 1, 2, 4 and 8 bytes.
    pub const ANY: Sizes = Sizes::new(1, 8);

    /// The sizes from `smallest` to `largest`; each is 1, 2, 4 or 8.
    pub const fn new(smallest: u8, largest: u8) -> Self {
        Sizes { smallest, largest }
    }

    /// Returns the smallest size, in bytes.
    pub const fn smallest(self) -> u8 {
        self.smallest
    }

    /// Returns the largest size, in bytes.
    pub const fn largest(self) -> u8 {
        self.largest
    }

    /// Returns whether an access of `len` bytes is accepted.
    pub const fn contains(self, len: usize) -> bool {
        self.smallest as usize <= len && len <= self.largest as usize
    }
}

impl SizesIn {
    /// Sizes for bytes `start..end` of the BAR.
    pub const fn new(start: u64, end: u64, sizes: Sizes) -> Self {
        SizesIn { start, end, sizes }
    }
}

impl Bar {
    /// A BAR of `size` bytes of memory or ports.
    pub const fn new(kind: BarKind, size: u64) -> Self {
        Bar {
            kind,
            size,
            prefetchable: false,
            unmapped: Unmapped::Zero,
            unaligned: Unaligned::Split,
            sizes: Sizes::ANY,
            sizes_in: &[],
            shared: None,
            watching: Watching::ByDevice,
            mirrors: None,
            raw: &[],
            big: false,
        }
    }

    /// Declares that reads have no side effects.
    #[must_use]
    pub const fn with_prefetchable(mut self) -> Self {
        self.prefetchable = true;
        self
    }

    /// Sets the handling of accesses without a register.
    #[must_use]
    pub const fn with_unmapped(mut self, unmapped: Unmapped) -> Self {
        self.unmapped = unmapped;
        self
    }

    /// Sets the handling of unaligned accesses.
    #[must_use]
    pub const fn with_unaligned(mut self, unaligned: Unaligned) -> Self {
        self.unaligned = unaligned;
        self
    }

    /// Sets the sizes of accesses that are accepted.
    #[must_use]
    pub const fn with_sizes(mut self, sizes: Sizes) -> Self {
        self.sizes = sizes;
        self
    }

    /// Sets the sizes of accesses that are accepted in parts of the BAR, in the order of their
    /// first bytes. The parts do not overlap.
    #[must_use]
    pub const fn with_sizes_in(mut self, parts: &'static [SizesIn]) -> Self {
        self.sizes_in = parts;
        self
    }

    /// Lets clients map all of the BAR.
    #[must_use]
    pub const fn with_shared(self) -> Self {
        self.with_shared_areas(&[])
    }

    /// Lets clients map areas of the BAR.
    ///
    /// Each area is given by its first byte and its end, from the start of the BAR: whole pages of
    /// 4 KiB without overlaps.
    #[must_use]
    pub const fn with_shared_areas(mut self, areas: &'static [(u64, u64)]) -> Self {
        self.shared = Some(areas);
        self
    }

    /// Makes accesses to the BAR reach another one: its registers, memories and shared memory, at
    /// the same offsets. The BAR has nothing of its own but the sizes and alignments of accesses
    /// that it accepts, and what it accepts has to be accepted by the other BAR as well.
    #[must_use]
    pub const fn with_mirror(mut self, bar: u8) -> Self {
        self.mirrors = Some(bar);
        self
    }

    /// Leaves accesses to ranges of the BAR to [`Device::access`](crate::Device::access), while the
    /// BAR has registers elsewhere.
    ///
    /// Each range is given by its first byte and its end, from the start of the BAR.
    #[must_use]
    pub const fn with_raw_ranges(mut self, ranges: &'static [(u64, u64)]) -> Self {
        self.raw = ranges;
        self
    }

    /// Makes all registers big-endian: the most significant byte has the lowest address.
    #[must_use]
    pub const fn with_big_endian(mut self) -> Self {
        self.big = true;
        self
    }

    /// Returns whether the BAR is memory or ports, and the width of its address.
    pub const fn kind(&self) -> BarKind {
        self.kind
    }

    /// Returns the size in bytes; a power of two.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns whether reads have no side effects.
    pub const fn is_prefetchable(&self) -> bool {
        self.prefetchable
    }

    /// Returns the handling of accesses without a register.
    pub const fn unmapped(&self) -> Unmapped {
        self.unmapped
    }

    /// Returns the handling of unaligned accesses.
    pub const fn unaligned(&self) -> Unaligned {
        self.unaligned
    }

    /// Returns the sizes of accesses that are accepted outside the parts with sizes of their own.
    pub const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the parts of the BAR that have sizes of their own.
    pub const fn sizes_in(&self) -> &'static [SizesIn] {
        self.sizes_in
    }

    /// Returns the BAR that this one mirrors.
    pub const fn mirrored(&self) -> Option<u8> {
        self.mirrors
    }

    /// Returns the ranges that the device serves itself, beside registers: the first byte and the
    /// end of each.
    pub const fn raw_ranges(&self) -> &'static [(u64, u64)] {
        self.raw
    }

    /// Returns whether all registers are big-endian.
    pub const fn is_big_endian(&self) -> bool {
        self.big
    }

    /// Returns whether clients may map some of the BAR.
    pub const fn is_shared(&self) -> bool {
        self.shared.is_some() && !self.is_watched_by_messages()
    }

    /// Returns how writes to `watch` registers are noticed.
    pub const fn watching(&self) -> Watching {
        self.watching
    }

    pub(super) const fn is_watched_by_messages(&self) -> bool {
        matches!(self.watching, Watching::ByMessages)
    }

    /// Returns how many areas of the BAR clients may map.
    pub(super) const fn shared_count(&self) -> usize {
        match self.shared {
            _ if self.is_watched_by_messages() => 0,
            None => 0,
            Some([]) => 1,
            Some(areas) => areas.len(),
        }
    }

    /// Returns the first byte of such an area, and its end.
    pub(super) const fn shared_area(&self, index: usize) -> (u64, u64) {
        match self.shared {
            None | Some([]) => (0, self.size),
            Some(areas) => areas[index],
        }
    }

    /// Returns the areas that clients may map, in bytes from the start of the BAR.
    pub fn shared_areas(&self) -> impl ExactSizeIterator<Item = Range<u64>> + use<> {
        let bar = *self;
        (0..bar.shared_count()).map(move |index| {
            let (start, end) = bar.shared_area(index);
            start..end
        })
    }

    /// Returns whether the BAR accepts every access unchanged.
    pub(crate) fn accepts_all(&self) -> bool {
        self.sizes == Sizes::ANY
            && self.sizes_in.is_empty()
            && self.unaligned == Unaligned::Split
            && self.unmapped != Unmapped::Refuse
    }

    /// Returns the sizes that an access at `offset` may have.
    pub const fn sizes_at(&self, offset: u64) -> Sizes {
        let mut part = 0;
        while part < self.sizes_in.len() {
            let SizesIn { start, end, sizes } = self.sizes_in[part];
            if start <= offset && offset < end {
                return sizes;
            }
            part += 1;
        }
        self.sizes
    }

    /// Returns whether all bytes of a range accept accesses of the same sizes.
    pub(crate) const fn has_one_set_of_sizes(&self, first: u64, end: u64) -> bool {
        let mut part = 0;
        while part < self.sizes_in.len() {
            let other = &self.sizes_in[part];
            if other.start < end && first < other.end {
                return other.start <= first && end <= other.end;
            }
            part += 1;
        }
        true
    }
}
