//! Unmapping of memory part by part.

use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use memmap2::MmapRaw;
use nix::libc;

/// The pages of a mapping that is no longer accessed.
///
/// The kernel takes a third of a microsecond to unmap a page that was touched, a second for a guest
/// of 16 GiB, and holds a lock of the process meanwhile. So they are unmapped part by part.
#[derive(Debug)]
pub(crate) struct Unmapping {
    /// Unmapped by this alone.
    pages: ManuallyDrop<MmapRaw>,
    /// The bytes from the start that are still mapped.
    left: usize,
    /// The size of the next part.
    part: usize,
}

impl Unmapping {
    /// The size of the first part, and of each where all pages were touched, which take about a
    /// millisecond.
    pub(crate) const PART: usize = 8 << 20;
    /// The size of the largest part, where few pages were touched: sparse files may have 16 TiB.
    const LARGEST: usize = 128 << 20;
    /// A part that takes less has few pages that were touched.
    const SHORT: Duration = Duration::from_micros(50);

    /// Takes a mapping of which no address is used any more.
    pub(super) fn new(pages: MmapRaw) -> Self {
        Unmapping { left: pages.len(), part: Self::PART, pages: ManuallyDrop::new(pages) }
    }

    /// Unmaps the last part. Returns whether more is left.
    pub(crate) fn unmap_part(&mut self) -> bool {
        let start = Instant::now();
        let rest = self.left.saturating_sub(self.part).next_multiple_of(Self::PART);
        // Pages that are larger than a part cannot be divided; there are few of them.
        if self.unmap(rest).is_err() {
            // A second failure cannot be handled: the addresses stay occupied.
            let _ = self.unmap(0);
            self.left = 0;
        }
        self.part = Self::next_part(self.part, start.elapsed());
        self.left > 0
    }

    /// Returns the size of the part that follows one of this size, which took this long.
    fn next_part(part: usize, took: Duration) -> usize {
        if took < Self::SHORT { (2 * part).min(Self::LARGEST) } else { Self::PART }
    }

    /// Unmaps all but the first `rest` bytes.
    fn unmap(&mut self, rest: usize) -> Result<(), ()> {
        let len = self.left - rest;
        if len == 0 {
            return Ok(());
        }
        // SAFETY: `rest + len` is at most the length of the one mapping that the pages are.
        let start = unsafe { self.pages.as_mut_ptr().add(rest) };
        // SAFETY: the range is the end of a mapping of ours, of which this has not unmapped it
        // before, and which nothing else unmaps. No reference into it exists, and its address is
        // not used any more.
        let unmapped = unsafe { libc::munmap(start.cast(), len) };
        if unmapped != 0 {
            return Err(());
        }
        self.left = rest;
        Ok(())
    }
}

impl Drop for Unmapping {
    fn drop(&mut self) {
        while self.unmap_part() {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::fs::File;

    use memmap2::MmapOptions;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::ftruncate;

    use super::*;

    /// Returns how many bytes of a file are mapped.
    fn mapped(name: &str) -> usize {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let lines = maps.lines().filter(|line| line.contains(name));
        let size = |line: &str| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            let [start, end] = [start, end].map(|number| usize::from_str_radix(number, 16));
            Some(end.ok()? - start.ok()?)
        };
        lines.filter_map(size).sum()
    }

    #[test]
    fn pages_are_unmapped_from_the_end_part_by_part() {
        const LEN: usize = 2 * Unmapping::PART + 0x3000;
        let file = File::from(memfd_create(c"in parts", MFdFlags::MFD_CLOEXEC).unwrap());
        ftruncate(&file, i64::try_from(LEN).unwrap()).unwrap();
        let map = || Unmapping::new(MmapOptions::new().len(LEN).map_raw(&file).unwrap());
        let mut pages = map();
        for left in [2 * Unmapping::PART, Unmapping::PART, 0] {
            pages.part = Unmapping::PART;
            assert_eq!(pages.unmap_part(), left > 0);
            assert_eq!(mapped("in parts"), left);
        }
        assert!(!pages.unmap_part());
        drop(pages);
        let mut pages = map();
        pages.part = 2 * Unmapping::PART;
        assert!(pages.unmap_part());
        assert_eq!(mapped("in parts"), Unmapping::PART);
        drop(pages);
        assert_eq!(mapped("in parts"), 0);
    }

    #[test]
    fn parts_grow_where_few_pages_were_touched() {
        let (short, long) = (Duration::from_micros(2), Duration::from_micros(700));
        let mut parts = vec![Unmapping::PART];
        for took in [short, short, short, short, short, long, short] {
            parts.push(Unmapping::next_part(parts[parts.len() - 1], took));
        }
        assert_eq!(parts, [8, 16, 32, 64, 128, 128, 8, 16].map(|mebibytes| mebibytes << 20));
    }
}
