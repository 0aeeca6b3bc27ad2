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

/// A base address register's range.
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
}

/// What an access gets that is not a multiple of its size away from the start of its BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unaligned {
    /// It is split where registers end, like any other.
    #[default]
    Split,
    /// It is ignored, as if it met no register.
    Ignore,
}

/// The sizes of accesses that a BAR accepts, in bytes. All others are ignored, as if they met no
/// register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    smallest: u8,
    largest: u8,
}

/// The sizes of accesses that a part of a BAR accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizesIn {
    /// First byte, from the start of the BAR.
    pub start: u64,
    /// Exclusive.
    pub end: u64,
    /// What is accepted there.
    pub sizes: Sizes,
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

impl Sizes {
    /// Every size that a bus knows: 1, 2, 4 and 8 bytes.
    pub const ANY: Sizes = Sizes::new(1, 8);

    /// From `smallest` to `largest`; each is 1, 2, 4 or 8.
    pub const fn new(smallest: u8, largest: u8) -> Self {
        Sizes { smallest, largest }
    }

    /// The smallest size, in bytes.
    pub const fn smallest(self) -> u8 {
        self.smallest
    }

    /// The largest size, in bytes.
    pub const fn largest(self) -> u8 {
        self.largest
    }

    /// Whether `len` bytes are between the two.
    pub const fn contains(self, len: usize) -> bool {
        self.smallest as usize <= len && len <= self.largest as usize
    }
}

impl SizesIn {
    /// Bytes `start..end` of the BAR.
    pub const fn new(start: u64, end: u64, sizes: Sizes) -> Self {
        SizesIn { start, end, sizes }
    }
}

impl Bar {
    /// `size` bytes of memory or ports.
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
        }
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

    /// What unaligned accesses get.
    #[must_use]
    pub const fn unaligned(mut self, unaligned: Unaligned) -> Self {
        self.unaligned = unaligned;
        self
    }

    /// The sizes of accesses that are accepted.
    #[must_use]
    pub const fn sizes(mut self, sizes: Sizes) -> Self {
        self.sizes = sizes;
        self
    }

    /// The sizes of accesses that are accepted in parts of the BAR, by their first byte; the parts
    /// do not overlap.
    #[must_use]
    pub const fn sizes_in(mut self, parts: &'static [SizesIn]) -> Self {
        self.sizes_in = parts;
        self
    }

    /// Memory that clients may map: all of the BAR.
    #[must_use]
    pub const fn shared(self) -> Self {
        self.shared_in(&[])
    }

    /// Memory that clients may map, each area by its first byte and its end, from the start of the
    /// BAR: whole pages of 4 KiB, none twice.
    #[must_use]
    pub const fn shared_in(mut self, areas: &'static [(u64, u64)]) -> Self {
        self.shared = Some(areas);
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

    /// What unaligned accesses get.
    pub const fn unaligned_policy(&self) -> Unaligned {
        self.unaligned
    }

    /// The sizes of accesses that are accepted, but for those parts that have their own.
    pub const fn accepted_sizes(&self) -> Sizes {
        self.sizes
    }

    /// The parts of the BAR that have sizes of their own.
    pub const fn accepted_sizes_in(&self) -> &'static [SizesIn] {
        self.sizes_in
    }

    /// Whether clients may map some of it.
    pub const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// How many areas of it clients may map.
    pub(super) const fn shared_count(&self) -> usize {
        match self.shared {
            None => 0,
            Some([]) => 1,
            Some(areas) => areas.len(),
        }
    }

    /// The first byte of such an area, and its end.
    pub(super) const fn shared_area(&self, place: usize) -> (u64, u64) {
        match self.shared {
            None | Some([]) => (0, self.size),
            Some(areas) => areas[place],
        }
    }

    /// The areas that clients may map, in bytes from the start of the BAR.
    pub fn shared_areas(&self) -> impl ExactSizeIterator<Item = Range<u64>> + use<> {
        let bar = *self;
        (0..bar.shared_count()).map(move |place| {
            let (start, end) = bar.shared_area(place);
            start..end
        })
    }

    /// Whether it takes every access as it comes.
    pub(crate) fn accepts_all(&self) -> bool {
        self.sizes == Sizes::ANY
            && self.sizes_in.is_empty()
            && self.unaligned == Unaligned::Split
            && self.unmapped != Unmapped::Refuse
    }

    /// The sizes that an access to `offset` may have.
    pub fn sizes_at(&self, offset: u64) -> Sizes {
        let part = self.sizes_in.iter().find(|part| (part.start..part.end).contains(&offset));
        part.map_or(self.sizes, |part| part.sizes)
    }
}
