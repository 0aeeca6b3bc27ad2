//! The marks of a log: one bit per granule, under levels that lead to the bits that are set.

use std::sync::Arc;

use super::{Granules, Share};
use crate::protocol::PAGE_SIZE;
use atomic::{AtomicU64, Ordering};

#[cfg(all(test, loom))]
use loom::sync::atomic;
#[cfg(not(all(test, loom)))]
use std::sync::atomic;

/// Granules are numbered from address 0.
#[derive(Debug)]
pub(super) struct Bits {
    /// The binary logarithm of a granule's size.
    pub(super) shift: u32,
    /// The granule of the first bit.
    pub(super) base: u64,
    /// The bits of the granules, and above them levels in which each bit says that a word of the
    /// level below may not be 0, up to a level of one word. So a sweep skips memory that was not
    /// written.
    pub(super) levels: Box<[Box<[AtomicU64]>]>,
    pub(super) _share: Share,
}

/// A range of addresses inside the region.
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Granules that are reported and stay marked.
    pub(super) kept: [Option<u64>; 2],
}

/// The words of the lowest level to look through, and the action on each.
struct Taking<'a> {
    /// Numbers of granules, relative to the base.
    low: u64,
    high: u64,
    kept: [Option<u64>; 2],
    /// The number of words that may still be looked through.
    words: &'a mut u64,
    /// The granule at which they ran out, if they did.
    stopped: Option<u64>,
    /// Is called with the first and the last address of each marked range.
    report: &'a mut dyn FnMut(u64, u64),
}

impl Bits {
    pub(super) fn new(first: u64, last: u64, granules: &Arc<Granules>) -> Self {
        let mut shift = PAGE_SIZE.trailing_zeros();
        let share = granules.take((last >> shift) - (first >> shift) + 1);
        while (last >> shift) - (first >> shift) >= share.count {
            shift += 1;
        }
        let levels = levels((last >> shift) - (first >> shift));
        let (shift, levels) = match levels {
            Some(levels) => (shift, levels),
            // Without memory for more bits, one bit stands for the whole region.
            None => (63, Box::new([Box::new([AtomicU64::new(0)]) as Box<[_]>]) as Box<[_]>),
        };
        Bits { shift, base: first >> shift, levels, _share: share }
    }

    /// Marks a range of addresses inside the region.
    pub(super) fn mark(&self, first: u64, last: u64) {
        let (low, high) = ((first >> self.shift) - self.base, (last >> self.shift) - self.base);
        for word in low / 64..=high / 64 {
            // A reader that finds the mark also finds the written data.
            self.levels[0][index(word)].fetch_or(mask(word, low, high), Ordering::Release);
            self.note(word);
        }
    }

    /// Sets the bits in all levels above a word that is not 0: after the word was changed, because
    /// `visit` reads it last. A bit that another writer has set does not end this: that writer may
    /// not have reached the next level yet. Each bit is written even if it is set, so that a reader
    /// that clears it later sees the change.
    fn note(&self, mut word: u64) {
        for level in &self.levels[1..] {
            let bit = 1 << (word % 64);
            word /= 64;
            level[index(word)].fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Takes the marks of a part except those of its `kept` granules, looking through at most
    /// `words` words. Returns the address at which to continue, if more are left.
    pub(super) fn take(
        &self,
        part: &Part,
        words: &mut u64,
        report: &mut dyn FnMut(u64, u64),
    ) -> Option<u64> {
        let Part { first, last, kept } = *part;
        let (low, high) = ((first >> self.shift) - self.base, (last >> self.shift) - self.base);
        let mut taking = Taking { low, high, kept, words, stopped: None, report };
        self.visit(self.levels.len() - 1, 0, &mut taking);
        taking.stopped.map(|granule| self.first_of(self.base + granule).max(first))
    }

    /// Looks through a word and the words below it. Returns whether some of it is still marked.
    fn visit(&self, level: usize, word: u64, taking: &mut Taking<'_>) -> bool {
        *taking.words = taking.words.saturating_sub(1);
        let bits = &self.levels[level][index(word)];
        let Some(below) = level.checked_sub(1) else { return self.visit_granules(word, taking) };
        // The number of granules per bit of this level, as a power of two.
        let shift = 6 * u32::try_from(level).unwrap_or(u32::MAX);
        let mut marked =
            bits.load(Ordering::Acquire) & mask(word, taking.low >> shift, taking.high >> shift);
        while marked != 0 && taking.stopped.is_none() {
            let bit = marked & marked.wrapping_neg();
            marked ^= bit;
            let child = word * 64 + u64::from(bit.trailing_zeros());
            if *taking.words == 0 {
                taking.stopped = Some((child << shift).max(taking.low));
                break;
            }
            // Clear the bit before looking below: a mark that is set meanwhile sets it again.
            bits.fetch_and(!bit, Ordering::AcqRel);
            if self.visit(below, child, taking) {
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
            (taking.report)(self.first_of(start + low), self.last_of(start + high));
        }
        before & !taken != 0
    }

    /// Returns the granules at the ends of a range that are only partly inside.
    pub(super) fn kept(&self, first: u64, last: u64) -> [Option<u64>; 2] {
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

/// Creates levels for bits 0 to `last`; `None` if there is not enough memory.
fn levels(mut last: u64) -> Option<Box<[Box<[AtomicU64]>]>> {
    let mut levels = Vec::new();
    loop {
        last /= 64;
        levels.push(zeros(usize::try_from(last + 1).ok()?)?);
        if last == 0 {
            return Some(levels.into());
        }
    }
}

/// Creates words in zeroed pages of the system, which take no memory until they are touched.
#[cfg(not(all(test, loom)))]
fn zeros(count: usize) -> Option<Box<[AtomicU64]>> {
    zerocopy::FromZeros::new_box_zeroed_with_elems(count).ok()
}

#[cfg(all(test, loom))]
fn zeros(count: usize) -> Option<Box<[AtomicU64]>> {
    Some((0..count).map(|_| AtomicU64::new(0)).collect())
}

/// Returns the bits from `low` to `high` of a level that are in one of its words.
fn mask(word: u64, low: u64, high: u64) -> u64 {
    let start = word * 64;
    let (from, to) = (low.saturating_sub(start), (high - start).min(63));
    (u64::MAX << from) & (u64::MAX >> (63 - to))
}

/// Returns the index of a word, which fits because the word was allocated.
fn index(word: u64) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}

/// Returns the bit of a granule in the word that starts with granule `start`.
fn bit(start: u64, granule: u64) -> Option<u64> {
    granule.checked_sub(start).filter(|n| *n < 64).map(|n| 1 << n)
}

/// Returns the runs of ones in a word, by their first and last bit.
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

/// Every order in which threads can do this.
#[cfg(all(test, loom))]
mod interleavings {
    use super::*;
    use loom::sync::Arc as Shared;
    use loom::thread;

    /// Creates the marks of as many pages from address 0 on.
    fn bits(pages: u64) -> Bits {
        Bits::new(0, pages * PAGE_SIZE - 1, &Arc::default())
    }

    /// Takes all marks, and returns the pages in which they are.
    fn sweep(bits: &Bits, pages: u64) -> Vec<u64> {
        let part = Part { first: 0, last: pages * PAGE_SIZE - 1, kept: [None; 2] };
        let mut found = Vec::new();
        let mut report = |low, high| found.extend(low / PAGE_SIZE..=high / PAGE_SIZE);
        assert_eq!(bits.take(&part, &mut { u64::MAX }, &mut report), None);
        found
    }

    /// Two threads write a page each while a third sweeps: the sweep finds a page, with the written
    /// data, or the next sweep does.
    fn check(pages: u64, written: [u64; 2]) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let bits = Shared::new(bits(pages));
            let data = Shared::new([(); 2].map(|()| AtomicU64::new(0)));
            let writers = [0, 1].map(|n: usize| {
                let (bits, data) = (Shared::clone(&bits), Shared::clone(&data));
                let address = written[n] * PAGE_SIZE;
                thread::spawn(move || {
                    data[n].store(1, Ordering::Relaxed);
                    bits.mark(address, address);
                })
            });
            let mut found = sweep(&bits, pages);
            for n in 0..2 {
                if found.contains(&written[n]) {
                    assert_eq!(data[n].load(Ordering::Relaxed), 1);
                }
            }
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            found.extend(sweep(&bits, pages));
            assert!(written.iter().all(|page| found.contains(page)), "{found:?}");
            assert!(sweep(&bits, pages).is_empty());
        });
    }

    #[test]
    fn no_mark_of_a_word_is_lost() {
        check(65, [0, 1]);
    }

    #[test]
    fn no_mark_of_different_words_is_lost() {
        check(65, [0, 64]);
    }

    #[test]
    fn no_mark_under_three_levels_is_lost() {
        check(4097, [0, 1]);
    }
}
