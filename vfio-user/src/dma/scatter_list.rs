//! The data of a command, as ranges of memory.

use super::{Dma, DmaError, DmaGuard};

/// The ranges of the client's memory that have the data of one command, in the order of the data:
/// what a device collects from lists of pages or of descriptors before it moves anything.
///
/// Ranges whose addresses follow each other are joined. A list of one range needs no allocation.
///
/// ```
/// # use std::fs::File;
/// # use vfio_user::{Dma, FileTransferError, ScatterList};
/// /// Reads from a disk into pages of 4 KiB, of which the first starts at an offset.
/// fn read(dma: &Dma, pages: &[u64], disk: &File, at: u64) -> Result<(), FileTransferError> {
///     let mut list = ScatterList::default();
///     pages.iter().for_each(|page| list.push(*page, 4096 - page % 4096));
///     list.scatter(dma, |offset, held| held.read_from(disk, at + offset))
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScatterList {
    earlier: Vec<Range>,
    last: Range,
    len: u64,
}

/// Bytes at an address, or bytes that are skipped.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    iova: Option<u64>,
    len: u64,
}

impl Range {
    /// Returns whether the next range follows in memory, or is skipped as well.
    fn continues_at(self, iova: Option<u64>) -> bool {
        match (self.iova, iova) {
            (Some(start), Some(next)) => start.checked_add(self.len) == Some(next),
            (None, None) => true,
            _ => false,
        }
    }
}

impl ScatterList {
    /// Adds `len` bytes at `iova`.
    #[inline]
    pub fn push(&mut self, iova: u64, len: u64) {
        self.add(Some(iova), len);
    }

    /// Adds `len` bytes of data that are in no memory: a device that reads the memory has nothing
    /// there, and one that writes it discards them.
    pub fn skip(&mut self, len: u64) {
        self.add(None, len);
    }

    fn add(&mut self, iova: Option<u64>, len: u64) {
        if len == 0 {
            return;
        }
        self.len = self.len.saturating_add(len);
        if self.last.len > 0 {
            if self.last.continues_at(iova) {
                self.last.len = self.last.len.saturating_add(len);
                return;
            }
            self.earlier.push(self.last);
        }
        self.last = Range { iova, len };
    }

    /// Returns the number of bytes, with those that are skipped.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Holds all of the memory, for a device that reads it. Bytes that are skipped are left out.
    ///
    /// # Errors
    ///
    /// As [`Dma::map_readable`].
    pub fn gather(&self, dma: &Dma) -> Result<DmaGuard, DmaError> {
        if let Some((iova, len)) = self.only_range() {
            return dma.map_readable(iova, len);
        }
        let ranges = self.ranges().filter_map(|range| range.iova.map(|iova| (iova, range.len)));
        ranges.map(|(iova, len)| dma.map_readable(iova, size(len))).collect()
    }

    /// Holds all of the memory, for a device that writes it, and then calls `fill` with each part
    /// and the offset of the part in the data: with all of it at once if nothing is skipped.
    ///
    /// # Errors
    ///
    /// As [`Dma::map_writable`], before anything is filled; then the errors of `fill`.
    pub fn scatter<E: From<DmaError>>(
        &self,
        dma: &Dma,
        mut fill: impl FnMut(u64, &DmaGuard) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some((iova, len)) = self.only_range() {
            return fill(0, &dma.map_writable(iova, len)?);
        }
        let mut offset = 0_u64;
        let held = self.ranges().filter_map(|range| {
            let start = offset;
            offset = start.saturating_add(range.len);
            Some(dma.map_writable(range.iova?, size(range.len)).map(|held| (start, held)))
        });
        if self.ranges().all(|range| range.iova.is_some()) {
            let held = held.map(|held| held.map(|(_, held)| held));
            return fill(0, &held.collect::<Result<DmaGuard, _>>()?);
        }
        let held = held.collect::<Result<Vec<_>, _>>()?;
        held.iter().try_for_each(|(offset, part)| fill(*offset, part))
    }

    /// Returns the range of a list that has no other one, which is what most commands have.
    fn only_range(&self) -> Option<(u64, usize)> {
        let iova = self.last.iova.filter(|_| self.earlier.is_empty())?;
        Some((iova, size(self.last.len)))
    }

    fn ranges(&self) -> impl Iterator<Item = Range> {
        let last = (self.last.len > 0).then_some(self.last);
        self.earlier.iter().copied().chain(last)
    }
}

fn size(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
