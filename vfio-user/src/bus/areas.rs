//! The parts of a BAR that do not consist of registers.

use std::ops::Range;

use crate::model::Descriptor;

/// The contents of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Memory that clients may map.
    Shared,
    /// Memory of the device, by its index.
    Memory(usize),
    /// A place without a model, by its index.
    Unmodelled(usize),
    /// What the author serves.
    Raw,
}

/// A part of a BAR, and its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) range: Range<u64>,
    pub(crate) contents: Contents,
}

/// The areas of a BAR, in address order. No two overlap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Areas(Box<[Area]>);

impl Areas {
    pub(super) fn new(descriptor: &Descriptor, bar: u8) -> Self {
        let declared = descriptor.bars().get(usize::from(bar)).copied().flatten();
        let shared = declared.into_iter().flat_map(|bar| bar.shared_areas());
        let shared = shared.map(|range| Area { range, contents: Contents::Shared });
        let memories = descriptor.memories().iter().enumerate();
        let memories = memories.filter(|(_, memory)| memory.bar() == bar);
        let memories = memories.map(|(index, memory)| Area {
            range: memory.start()..memory.end(),
            contents: Contents::Memory(index),
        });
        let unmodelled = descriptor.unmodelled().iter().enumerate();
        let unmodelled = unmodelled.filter(|(_, place)| place.bar() == bar);
        let unmodelled = unmodelled.map(|(index, place)| Area {
            range: place.start()..place.end(),
            contents: Contents::Unmodelled(index),
        });
        let raw = declared.map_or(&[][..], |bar| bar.raw_ranges()).iter();
        let raw = raw.map(|(start, end)| Area { range: *start..*end, contents: Contents::Raw });
        let mut all: Vec<_> = shared.chain(memories).chain(unmodelled).chain(raw).collect();
        all.sort_unstable_by_key(|area| area.range.start);
        Areas(all.into())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the author serves some of them.
    pub(super) fn has_raw(&self) -> bool {
        self.0.iter().any(|area| area.contents == Contents::Raw)
    }

    /// Returns the area of a byte.
    pub(crate) fn find(&self, offset: u64) -> Option<&Area> {
        self.0.get(self.first_after(offset)).filter(|area| area.range.start <= offset)
    }

    /// Returns the part of `range` that starts at `from` and lies in one area, or in none.
    pub(crate) fn part(&self, from: u64, range: &Range<u64>) -> (Range<u64>, Option<&Area>) {
        match self.0.get(self.first_after(from)) {
            Some(area) if area.range.start <= from => {
                (from..area.range.end.min(range.end), Some(area))
            }
            Some(area) => (from..area.range.start.min(range.end), None),
            None => (from..range.end, None),
        }
    }

    /// Returns the index of the first area that ends after `offset`.
    fn first_after(&self, offset: u64) -> usize {
        self.0.partition_point(|area| area.range.end <= offset)
    }
}
