//! Which memory the device has written: dirty page logging.
//!
//! A write is marked when it is done, never before: whoever reads the log, and the memory after that,
//! finds what was written before the mark. A write that the log has missed is in the next one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use zerocopy::FromZeros;

use crate::protocol::PAGE_SIZE;

/// Most granules of a region: their bits take 256 MiB of address space, and what is touched of it.
const MAX_GRANULES: u64 = 1 << 31;
/// Most granules of all regions of a device: one with as many regions of many TiB as it may have still
/// needs no more than 512 MiB when everything is written.
const MAX_GRANULES_OF_DEVICE: u64 = 1 << 32;
/// A region always has as many.
const MIN_GRANULES: u64 = 64;

/// The granules that the regions of one device use.
#[derive(Debug, Default)]
pub(super) struct Granules(AtomicU64);

impl Granules {
    /// Takes up to `wanted`, but no more than half of what is left: other regions may follow.
    fn take(self: &Arc<Self>, wanted: u64) -> Share {
        let fair = |used: u64| wanted.min(Self::half_of_rest(used));
        let take = |used: u64| Some(used.saturating_add(fair(used)));
        let used = match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(used) | Err(used) => used,
        };
        Share { all: Arc::clone(self), count: fair(used) }
    }

    fn half_of_rest(used: u64) -> u64 {
        (MAX_GRANULES_OF_DEVICE.saturating_sub(used) / 2).clamp(MIN_GRANULES, MAX_GRANULES)
    }
}

/// The granules that one region may use; they are returned when this is dropped.
#[derive(Debug)]
struct Share {
    all: Arc<Granules>,
    count: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// The log of one region: a bit a granule, which is a page, or more in a region of many TiB and where
/// the regions of a device are many TiB together.
#[derive(Debug)]
pub(super) struct PageLog {
    first: u64,
    last: u64,
    /// Of the device.
    granules: Arc<Granules>,
    /// Made for the first write that is logged.
    bits: OnceLock<Bits>,
}

impl PageLog {
    pub(super) fn new(first: u64, last: u64, granules: &Arc<Granules>) -> Self {
        PageLog { first, last, granules: Arc::clone(granules), bits: OnceLock::new() }
    }

    /// Whether the region shares an address with `[first, last]`.
    pub(super) fn overlaps(&self, first: u64, last: u64) -> bool {
        self.first <= last && first <= self.last
    }

    /// Marks what `[first, last]` shares with the region.
    pub(super) fn mark(&self, first: u64, last: u64) {
        if self.overlaps(first, last) {
            let bits = self.bits.get_or_init(|| Bits::new(self.first, self.last, &self.granules));
            bits.mark(first.max(self.first), last.min(self.last));
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        if let Some(bits) = self.bits.get() {
            bits.take(self.first, self.last, [None; 2], &mut |_, _| ());
        }
    }

    /// Adds what is marked to a report, and forgets it.
    pub(super) fn report(&self, report: &mut Report<'_>) {
        let Some(bits) = self.bits.get().filter(|_| self.overlaps(report.first, report.last))
        else {
            return;
        };
        let (first, last) = (report.first.max(self.first), report.last.min(self.last));
        let mut kept = bits.kept(first, last);
        // The region has no more than this.
        kept[0] = kept[0].filter(|_| first > self.first);
        kept[1] = kept[1].filter(|_| last < self.last);
        bits.take(first, last, kept, &mut |low, high| report.mark(low.max(first), high.min(last)));
    }
}

/// Granules are numbered from address 0.
#[derive(Debug)]
struct Bits {
    /// The binary logarithm of a granule's size.
    shift: u32,
    /// The granule of the first bit.
    base: u64,
    /// The granules, and above them levels in which each bit tells that a word of the level below may
    /// not be 0, up to one of a single word. So what was not written costs nothing to look through.
    levels: Box<[Box<[AtomicU64]>]>,
    _share: Share,
}

/// Which words of the lowest level are looked through, and what is done there.
struct Taking<'a> {
    /// Numbers of granules, from the base on.
    low: u64,
    high: u64,
    /// Granules that are told and stay marked.
    kept: [Option<u64>; 2],
    /// Is told the first and the last address of what was marked.
    tell: &'a mut dyn FnMut(u64, u64),
}

impl Bits {
    fn new(first: u64, last: u64, granules: &Arc<Granules>) -> Self {
        let mut shift = PAGE_SIZE.trailing_zeros();
        let share = granules.take((last >> shift) - (first >> shift) + 1);
        while (last >> shift) - (first >> shift) >= share.count {
            shift += 1;
        }
        let levels = levels((last >> shift) - (first >> shift));
        let (shift, levels) = match levels {
            Some(levels) => (shift, levels),
            // Without memory for more the whole region is dirty, or not.
            None => (63, Box::new([Box::new([AtomicU64::new(0)]) as Box<[_]>]) as Box<[_]>),
        };
        Bits { shift, base: first >> shift, levels, _share: share }
    }

    /// Marks a range of addresses, all inside.
    fn mark(&self, first: u64, last: u64) {
        let (low, high) = ((first >> self.shift) - self.base, (last >> self.shift) - self.base);
        for word in low / 64..=high / 64 {
            // Whoever finds the mark finds what was written.
            self.levels[0][index(word)].fetch_or(mask(word, low, high), Ordering::Release);
            self.note(0, word);
        }
    }

    /// Notes above that a word is not 0: after it was changed, as `visit` looks at it last.
    fn note(&self, level: usize, mut word: u64) {
        for level in &self.levels[level + 1..] {
            let bit = 1 << (word % 64);
            word /= 64;
            let before = level[index(word)].fetch_or(bit, Ordering::AcqRel);
            // Whoever has set it goes on above.
            if before & bit != 0 {
                return;
            }
        }
    }

    /// Takes the marks of a range of addresses, all inside, but for those of the `kept` granules.
    fn take(&self, first: u64, last: u64, kept: [Option<u64>; 2], tell: &mut dyn FnMut(u64, u64)) {
        let (low, high) = ((first >> self.shift) - self.base, (last >> self.shift) - self.base);
        self.visit(self.levels.len() - 1, 0, &mut Taking { low, high, kept, tell });
    }

    /// Looks through a word and what is below it. Whether some of it is still marked.
    fn visit(&self, level: usize, word: u64, taking: &mut Taking<'_>) -> bool {
        let bits = &self.levels[level][index(word)];
        let Some(below) = level.checked_sub(1) else { return self.visit_granules(word, taking) };
        // Granules of a bit of this level, as a power of two.
        let shift = 6 * u32::try_from(level).unwrap_or(u32::MAX);
        let mut marked =
            bits.load(Ordering::Acquire) & mask(word, taking.low >> shift, taking.high >> shift);
        while marked != 0 {
            let bit = marked & marked.wrapping_neg();
            marked ^= bit;
            // Before what is below: a mark that comes meanwhile sets it again.
            bits.fetch_and(!bit, Ordering::AcqRel);
            if self.visit(below, word * 64 + u64::from(bit.trailing_zeros()), taking) {
                bits.fetch_or(bit, Ordering::AcqRel);
            }
        }
        bits.load(Ordering::Acquire) != 0
    }

    fn visit_granules(&self, word: u64, taking: &mut Taking<'_>) -> bool {
        let (bits, start) = (&self.levels[0][index(word)], self.base + word * 64);
        let mask = mask(word, taking.low, taking.high);
        let kept = taking.kept.iter().flatten().filter_map(|granule| bit(start, *granule));
        let taken = kept.fold(mask, |taken, kept| taken & !kept);
        let before = bits.fetch_and(!taken, Ordering::AcqRel);
        for (low, high) in runs(before & mask) {
            (taking.tell)(self.first_of(start + low), self.last_of(start + high));
        }
        before & !taken != 0
    }

    /// The granules at the ends of a range that are not all inside.
    fn kept(&self, first: u64, last: u64) -> [Option<u64>; 2] {
        let (low, high) = (first >> self.shift, last >> self.shift);
        [(self.first_of(low) != first).then_some(low), (self.last_of(high) != last).then_some(high)]
    }

    fn first_of(&self, granule: u64) -> u64 {
        granule << self.shift
    }

    fn last_of(&self, granule: u64) -> u64 {
        self.first_of(granule) | ((1 << self.shift) - 1)
    }
}

/// Levels for bits 0 to `last`; `None` if there is no memory for them.
fn levels(mut last: u64) -> Option<Box<[Box<[AtomicU64]>]>> {
    let mut levels = Vec::new();
    loop {
        last /= 64;
        // Zeros of the system's, which take no memory before they are touched.
        let count = usize::try_from(last + 1).ok()?;
        levels.push(<[AtomicU64]>::new_box_zeroed_with_elems(count).ok()?);
        if last == 0 {
            return Some(levels.into());
        }
    }
}

/// The bits from `low` to `high` of a level that are in one of its words.
fn mask(word: u64, low: u64, high: u64) -> u64 {
    let start = word * 64;
    let (from, to) = (low.saturating_sub(start), (high - start).min(63));
    (u64::MAX << from) & (u64::MAX >> (63 - to))
}

/// A word that was allocated, so its number fits.
fn index(word: u64) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}

/// The bit of a granule in the word that starts with granule `start`.
fn bit(start: u64, granule: u64) -> Option<u64> {
    granule.checked_sub(start).filter(|n| *n < 64).map(|n| 1 << n)
}

/// The runs of ones in a word, by their first and last bit.
fn runs(mut word: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let zeros = word.trailing_zeros();
        word >>= zeros;
        let ones = word.trailing_ones();
        word = word.checked_shr(ones).unwrap_or(0);
        let low = at + u64::from(zeros);
        at = low + u64::from(ones);
        Some((low, at - 1))
    })
}

/// The bitmap of a range of addresses, as a client wants it: a bit a page, pages being counted from
/// the start of the range.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    first: u64,
    last: u64,
    page_shift: u32,
    bitmap: &'a mut [u8],
}

impl<'a> Report<'a> {
    /// Bytes of the bitmap of `size` bytes in pages of `page_size`, a power of two.
    pub(crate) fn bitmap_size(size: u64, page_size: u64) -> u64 {
        size.div_ceil(page_size).div_ceil(64) * 8
    }

    /// A report to be written into zeros.
    pub(crate) fn new(first: u64, last: u64, page_size: u64, bitmap: &'a mut [u8]) -> Self {
        Report { first, last, page_shift: page_size.trailing_zeros(), bitmap }
    }

    pub(super) fn range(&self) -> (u64, u64) {
        (self.first, self.last)
    }

    /// Marks the pages of addresses that are inside.
    fn mark(&mut self, first: u64, last: u64) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    fn log_of(first: u64, last: u64) -> PageLog {
        PageLog::new(first, last, &Arc::default())
    }

    /// As large as the largest guests, and many: what is not written costs nothing.
    #[test]
    fn large_regions_cost_what_was_written_of_them() {
        const SIZE: u64 = 8 << 40;
        let granules = Arc::<Granules>::default();
        let place = |n: u64| 0x40_0000_0000 + n * (0x1_0000_0000 >> 4);
        let start = Instant::now();
        let logs: Vec<_> =
            (0..512).map(|n| PageLog::new(n * SIZE, n * SIZE + (SIZE - 1), &granules)).collect();
        for (n, log) in (0..).zip(&logs) {
            log.mark(log.first + place(n), log.first + place(n));
        }
        for (n, log) in (0..).zip(&logs) {
            let at = place(n) / 0x4000_0000;
            let pages = report(log, log.first, log.last, 0x4000_0000);
            assert!(pages.contains(&at), "{n}");
            // Later ones have coarser granules.
            assert!(n > 1 || pages == [at], "{n}");
            assert_eq!(report(log, log.first, log.last, 0x4000_0000), [0; 0]);
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        let used = granules.0.load(Ordering::Relaxed);
        assert!(used <= MAX_GRANULES_OF_DEVICE + 512 * MIN_GRANULES, "{used:#x}");
        drop(logs);
        assert_eq!(granules.0.load(Ordering::Relaxed), 0);
    }

    fn report(log: &PageLog, first: u64, last: u64, page_size: u64) -> Vec<u64> {
        let size = Report::bitmap_size(last - first + 1, page_size);
        let mut bitmap = vec![0; usize::try_from(size).unwrap()];
        log.report(&mut Report::new(first, last, page_size, &mut bitmap));
        let pages = 0..8 * size;
        let is_set = |page: &u64| {
            let byte = bitmap[usize::try_from(page / 8).unwrap()];
            byte >> (page % 8) & 1 == 1
        };
        pages.filter(is_set).collect()
    }

    #[test]
    fn a_report_has_whole_words() {
        for (size, page_size, bytes) in [
            (1, 4096, 8),
            (64 << 12, 4096, 8),
            ((64 << 12) + 1, 4096, 16),
            (u64::MAX, 1, 1 << 61),
            (u64::MAX, 1 << 63, 8),
        ] {
            assert_eq!(Report::bitmap_size(size, page_size), bytes);
        }
    }

    #[test]
    fn what_is_reported_is_forgotten_and_the_rest_is_not() {
        let log = log_of(0x1000, 0x40_0fff);
        log.mark(0x1000, 0x1000);
        log.mark(0x2fff, 0x3000);
        log.mark(0x30_0000, u64::MAX);
        assert_eq!(report(&log, 0, 0x2fff, 4096), [1, 2]);
        assert_eq!(report(&log, 0, 0x3fff, 4096), [3]);
        let rest: Vec<_> = (0x300..=0x400).collect();
        assert_eq!(report(&log, 0, 0x7f_ffff, 4096), rest);
        assert!(report(&log, 0, 0x7f_ffff, 4096).is_empty());
    }

    #[test]
    fn a_granule_that_is_asked_for_in_part_stays_marked() {
        let log = log_of(0x1800, 0x87ff);
        log.mark(0x1800, 0x87ff);
        assert_eq!(report(&log, 0x3800, 0x47ff, 4096), [0]);
        assert_eq!(report(&log, 0x3000, 0x4fff, 4096), [0, 1], "both again");
        assert!(report(&log, 0x3000, 0x4fff, 4096).is_empty());
        assert_eq!(report(&log, 0x1000, 0x1fff, 4096), [0], "all that the region has of it");
        assert!(report(&log, 0x1800, 0x1fff, 4096).is_empty());
        assert_eq!(report(&log, 0x8000, 0x8fff, 1024), [0, 1]);
        assert!(report(&log, 0x8000, 0x8fff, 1024).is_empty());
    }

    #[test]
    fn pages_may_be_smaller_and_larger_than_granules() {
        let log = log_of(0, 0xf_ffff);
        log.mark(0x5000, 0x5000);
        assert_eq!(report(&log, 0, 0xffff, 512), (40..48).collect::<Vec<_>>());
        log.mark(0x5000, 0x5000);
        log.mark(0x9000, 0x9000);
        assert_eq!(report(&log, 0, 0xf_ffff, 0x4000), [1, 2]);
        log.mark(0, 0xf_ffff);
        assert_eq!(report(&log, 0, u64::MAX - 1, 1 << 63), [0]);
    }

    #[test]
    fn the_largest_regions_have_coarser_granules() {
        let log = log_of(0, u64::MAX - 1);
        log.mark(u64::MAX - 1, u64::MAX);
        log.mark(1 << 40, 1 << 40);
        let bits = log.bits.get().unwrap();
        assert_eq!((bits.shift, bits.levels[0].len()), (33, 1 << 25));
        assert_eq!(report(&log, 0, u64::MAX - 1, 1 << 40), [1, (1 << 24) - 1]);
        let log = log_of(u64::MAX, u64::MAX);
        log.mark(0, u64::MAX);
        assert_eq!(report(&log, u64::MAX, u64::MAX, 1), [0]);
    }

    #[test]
    fn a_log_without_memory_is_dirty_as_a_whole() {
        let first = (1 << 63) - 0x1000;
        let granules = Arc::<Granules>::default();
        let levels = Box::new([Box::new([AtomicU64::new(0)]) as Box<[_]>]);
        let bits = Bits { shift: 63, base: first >> 63, levels, _share: granules.take(1) };
        let log = PageLog { first, last: first + 0x1fff, granules, bits: OnceLock::from(bits) };
        log.mark(first, first);
        assert_eq!(report(&log, first, first + 0x1fff, 4096), [0]);
        log.mark(first + 0x1000, first + 0x1000);
        assert_eq!(report(&log, first, first + 0x1fff, 4096), [1]);
    }

    /// No mark is lost between a writer and a reader, and none is seen before its write.
    #[test]
    fn marks_are_seen_after_their_writes_while_others_are_read() {
        const PAGES: usize = 100;
        const SIZE: u64 = PAGES as u64 * 4096;
        let log = Arc::new(log_of(0, SIZE - 1));
        let memory: Arc<[AtomicU64]> = (0..PAGES).map(|_| AtomicU64::new(0)).collect();
        let writer = |offset: usize| {
            let (log, memory) = (Arc::clone(&log), Arc::clone(&memory));
            std::thread::spawn(move || {
                for n in 0..100_000 {
                    let page = (n * 7 + offset) % PAGES;
                    memory[page].fetch_add(1, Ordering::Relaxed);
                    log.mark(page as u64 * 4096, page as u64 * 4096);
                }
            })
        };
        let writers = [writer(0), writer(50)];
        let mut copy = vec![0; memory.len()];
        loop {
            let done = writers.iter().all(std::thread::JoinHandle::is_finished);
            for page in report(&log, 0, SIZE - 1, 4096) {
                let page = usize::try_from(page).unwrap();
                copy[page] = memory[page].load(Ordering::Relaxed);
            }
            if done {
                break;
            }
        }
        for writer in writers {
            writer.join().unwrap();
        }
        let memory: Vec<_> = memory.iter().map(|page| page.load(Ordering::Relaxed)).collect();
        assert_eq!(copy, memory);
    }

    proptest! {
        /// A naive model: a set of granules.
        #[test]
        fn the_log_agrees_with_a_set(
            start in 0u64..0x3000,
            size in 1u64..0x20_0000,
            steps in proptest::collection::vec(
                (any::<bool>(), 0u64..0x20_0000, 1u64..0x9_0000, 9u32..16),
                1..20,
            ),
        ) {
            let (region, end) = (start, start + size);
            let log = log_of(region, end - 1);
            let mut model = BTreeSet::new();
            for (mark, first, len, shift) in steps {
                let (low, high) = (first.max(region), (first + len).min(end));
                if mark {
                    log.mark(first, first + len - 1);
                    model.extend((low..high).step_by(4096).chain([high - 1].into_iter().filter(|_| low < high)).map(|at| at >> 12));
                    continue;
                }
                // What a page shares with the range, the region and a dirty granule makes it dirty.
                let mut expected = BTreeSet::new();
                let touched: Vec<u64> = model.iter().copied().collect();
                for granule in touched {
                    let from = (granule << 12).max(low);
                    let to = ((granule + 1) << 12).min(high);
                    if from < to {
                        expected.extend((from - first) >> shift..=(to - 1 - first) >> shift);
                    }
                    let all = (granule << 12).max(region) >= first
                        && ((granule + 1) << 12).min(end) <= first + len;
                    if all {
                        model.remove(&granule);
                    }
                }
                let reported = report(&log, first, first + len - 1, 1 << shift);
                prop_assert_eq!(reported, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
