//! The pages of a range that were written.

use crate::error::{ArgumentError, ReplyError, Result};

/// The pages of a range that the device has written; see
/// [`Client::dirty_pages`](super::Client::dirty_pages).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyPages {
    iova: u64,
    last: u64,
    page_size: u64,
    /// Bit `n % 8` of byte `n / 8` is page `n` from `iova` on.
    bits: Vec<u8>,
}

impl DirtyPages {
    /// Creates an empty set for a range that is not empty and does not wrap around, if its bitmap
    /// has at most `limit` bytes.
    pub(super) fn new(iova: u64, length: u64, page_size: u64, limit: usize) -> Result<Self> {
        if !page_size.is_power_of_two() {
            return Err(ArgumentError::PageSize(page_size).into());
        }
        let bytes = length.div_ceil(page_size).div_ceil(64) * 8;
        let Some(bytes) = usize::try_from(bytes).ok().filter(|bytes| *bytes <= limit) else {
            return Err(ArgumentError::BitmapTooLarge { bytes, most: limit }.into());
        };
        Ok(DirtyPages { iova, last: iova + (length - 1), page_size, bits: vec![0; bytes] })
    }

    /// Returns the size of a page, in bytes.
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// Returns the number of dirty pages.
    pub fn count(&self) -> usize {
        self.bits.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Returns whether the page that contains an address is dirty; `false` outside of the range.
    pub fn contains(&self, iova: u64) -> bool {
        let inside = (self.iova..=self.last).contains(&iova);
        inside && self.bit((iova - self.iova) / self.page_size)
    }

    /// Returns the first address of each dirty page.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let pages = (self.last - self.iova) / self.page_size;
        let dirty = (0..=pages).filter(|page| self.bit(*page));
        dirty.map(|page| self.iova + page * self.page_size)
    }

    pub(super) fn bitmap_len(&self) -> usize {
        self.bits.len()
    }

    /// Adds a server's bitmap, ignoring the bits beyond the range.
    pub(super) fn fill(&mut self, bitmap: &[u8]) -> Result<(), ReplyError> {
        let (got, least) = (bitmap.len(), self.bits.len());
        let bitmap = bitmap.get(..least);
        let bitmap = bitmap.ok_or(ReplyError::TooShort { got, least })?;
        let pages = (self.last - self.iova) / self.page_size;
        for page in (0..=pages).filter(|page| bit(bitmap, *page)) {
            self.set(page);
        }
        Ok(())
    }

    /// Marks the pages that `size` bytes at `start` touch, as far as they are in the range.
    pub(super) fn mark(&mut self, start: u64, size: u64) {
        let first = start.max(self.iova);
        let last = start.saturating_add(size - 1).min(self.last);
        if first <= last {
            let page = |address| (address - self.iova) / self.page_size;
            for page in page(first)..=page(last) {
                self.set(page);
            }
        }
    }

    fn bit(&self, page: u64) -> bool {
        bit(&self.bits, page)
    }

    fn set(&mut self, page: u64) {
        let byte = usize::try_from(page / 8).ok().and_then(|at| self.bits.get_mut(at));
        if let Some(byte) = byte {
            *byte |= 1 << (page % 8);
        }
    }
}

fn bit(bits: &[u8], page: u64) -> bool {
    let byte = usize::try_from(page / 8).ok().and_then(|at| bits.get(at));
    byte.is_some_and(|byte| byte >> (page % 8) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_without_bitmap_are_refused() {
        for page_size in [0, 3, 4097] {
            assert!(DirtyPages::new(0, 0x1000, page_size, 64).is_err());
        }
        assert!(DirtyPages::new(0, u64::MAX, 1, 64).is_err());
        assert!(DirtyPages::new(0, 65 * 0x1000, 0x1000, 8).is_err());
        assert_eq!(DirtyPages::new(0, 64 * 0x1000, 0x1000, 8).unwrap().bitmap_len(), 8);
    }

    #[test]
    fn a_bitmap_may_be_longer_but_not_shorter_and_its_tail_means_nothing() {
        let mut pages = DirtyPages::new(0x1000, 0x3000, 0x1000, 8).unwrap();
        assert!(pages.fill(&[0xff; 7]).is_err());
        pages.fill(&[0xfd; 20]).unwrap();
        assert_eq!(pages.iter().collect::<Vec<_>>(), [0x1000, 0x3000]);
        assert_eq!(pages.count(), 2);
        assert!(pages.contains(0x3fff) && !pages.contains(0x2000) && !pages.contains(0x4000));
    }

    proptest! {
        #[test]
        fn what_is_marked_is_dirty_whatever_the_page_size(
            shift in 8u32..16,
            start in 0u64..0x2_0000,
            size in 1u64..0x8000,
        ) {
            let (iova, length) = (0x8000, 0x1_0000);
            let mut pages = DirtyPages::new(iova, length, 1 << shift, 4096).unwrap();
            pages.mark(start, size);
            for page in (iova..iova + length).step_by(1 << shift) {
                let touched = page < start + size && start < page + (1 << shift);
                prop_assert_eq!(pages.contains(page), touched);
            }
            prop_assert_eq!(pages.iter().count(), pages.count());
        }
    }
}
