//! The written memory, in the form that a client requests.

/// A dirty bitmap of a range of addresses in a client's format: one bit per page, with pages
/// counted from the start of the range.
#[derive(Debug)]
pub(crate) struct Report {
    first: u64,
    page_shift: u32,
    bitmap: Vec<u8>,
}

impl Report {
    /// Returns the size in bytes of the bitmap of `size` bytes in pages of `page_size`, a power of
    /// two.
    pub(crate) fn bitmap_size(size: u64, page_size: u64) -> u64 {
        size.div_ceil(page_size).div_ceil(64) * 8
    }

    /// Creates an empty report for a range that begins at `first`. Its bitmap has `size` bytes, at
    /// least the [`bitmap_size`](Self::bitmap_size) of the range.
    pub(crate) fn new(first: u64, page_size: u64, size: usize) -> Self {
        Report { first, page_shift: page_size.trailing_zeros(), bitmap: vec![0; size] }
    }

    pub(crate) fn bitmap(&self) -> &[u8] {
        &self.bitmap
    }

    /// Returns the last address of the pages that the bitmap has room for.
    pub(crate) fn reach(&self) -> u64 {
        let pages = (self.bitmap.len() as u64).saturating_mul(8);
        let size = u128::from(pages) << self.page_shift;
        u64::try_from(u128::from(self.first) + size - 1).unwrap_or(u64::MAX)
    }

    /// Returns the marked pages behind an address of the range, by their first and last address.
    pub(super) fn pages_after(&self, last: u64) -> Vec<(u64, u64)> {
        let pages = self.bitmap.len() as u64 * 8;
        let behind = ((last - self.first) >> self.page_shift) + 1;
        let is_marked = |page: &u64| self.bitmap[(page / 8) as usize] & (1 << (page % 8)) != 0;
        let place = |page: u64| u128::from(self.first) + (u128::from(page) << self.page_shift);
        let range = |page: u64| {
            let first = u64::try_from(place(page)).ok()?;
            Some((first, u64::try_from(place(page + 1) - 1).unwrap_or(u64::MAX)))
        };
        (behind..pages).filter(is_marked).filter_map(range).collect()
    }

    /// Marks the pages of addresses inside the range.
    pub(super) fn mark(&mut self, first: u64, last: u64) {
        let low = (first - self.first) >> self.page_shift;
        let high = (last - self.first) >> self.page_shift;
        let (low_byte, high_byte) = ((low / 8) as usize, (high / 8) as usize);
        let (from, to) = (0xff << (low % 8), 0xff >> (7 - high % 8));
        match &mut self.bitmap[low_byte..=high_byte] {
            [byte] => *byte |= from & to,
            [head, middle @ .., tail] => {
                *head |= from;
                middle.fill(0xff);
                *tail |= to;
            }
            [] => {}
        }
    }
}
