//! What is marked is reported, and no more of it is gone through than that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

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
    let mut report = Report::new(first, page_size, usize::try_from(size).unwrap());
    let mut from = Some(first);
    while let Some(first) = from {
        // A few words at a time, and so in many steps.
        from = log.take(first, last, &mut 9, &mut |low, high| report.mark(low, high));
    }
    let bitmap = report.bitmap();
    let pages = 0..8 * size;
    let is_set = |page: &u64| {
        let byte = bitmap[usize::try_from(page / 8).unwrap()];
        byte >> (page % 8) & 1 == 1
    };
    pages.filter(is_set).collect()
}

/// However much was written, of however many regions, a slice goes through no more than its share,
/// and nothing is reported twice or omitted.
#[test]
fn a_sweep_goes_through_no_more_than_a_slice_at_a_time() {
    let granules = Arc::<Granules>::default();
    for (regions, size, written) in [(5, 1 << 30, 1 << 30), (20_000, 8192, 4096), (3, 4096, 0)] {
        let logs: Vec<_> = (0..regions)
            .map(|n| Arc::new(PageLog::new(n * size, n * size + (size - 1), &granules)))
            .collect();
        for log in logs.iter().filter(|_| written > 0) {
            log.mark(log.first, log.first + (written - 1));
        }
        let mut sweep = Sweep::new(logs.iter().rev().cloned().collect(), 0, u64::MAX);
        let (mut slices, mut reported, mut end) = (0, 0, 0);
        loop {
            let mut runs = 0;
            let more = sweep.go_on(&mut |low, high| {
                assert!(low >= end, "in order, and once");
                (runs, reported, end) = (runs + 1, reported + (high - low + 1), high + 1);
            });
            slices += 1;
            assert!(runs <= sweep::SLICE, "{runs} runs in a slice");
            if !more {
                break;
            }
        }
        assert_eq!(reported, regions * written);
        assert!(slices >= (reported >> 18) / sweep::SLICE, "{slices} slices for {reported} bytes");
        assert!(regions < 4096 || slices >= 4, "{slices} slices for {regions} regions");
        let mut again = Sweep::new(logs, 0, u64::MAX);
        while again.go_on(&mut |_, _| panic!("all is reported")) {}
    }
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

/// A writer that has set the bit of a level, and not yet that of the next, hides no other's mark.
#[test]
fn a_mark_is_found_while_another_writer_is_between_two_levels() {
    const SIZE: u64 = 1 << 32;
    for noted in 1..=2 {
        let log = log_of(0, SIZE - 1);
        log.mark(0, 0);
        assert_eq!(report(&log, 0, SIZE - 1, 4096), [0]);
        let levels = &log.bits.get().unwrap().levels;
        assert_eq!(levels.len(), 4);
        for level in &levels[..=noted] {
            level[0].fetch_or(1, Ordering::AcqRel);
        }
        log.mark(5 << 12, 5 << 12);
        assert_eq!(report(&log, 0, SIZE - 1, 4096), [0, 5]);
    }
}

/// No mark is lost between a writer and a reader, and none is seen before its write.
#[test]
fn marks_are_seen_after_their_writes_while_others_are_read() {
    const PAGES: usize = 100;
    const SIZE: u64 = 83 * PAGES as u64 * 4096;
    // In groups of four, with more than the room of a word between them.
    let address = |page: usize| (page / 4 * 4 * 83 + page % 4) as u64 * 4096;
    let log = Arc::new(log_of(0, SIZE - 1));
    log.mark(0, 0);
    assert_eq!(log.bits.get().unwrap().levels.len(), 3);
    assert_eq!(report(&log, 0, SIZE - 1, 4096), [0]);
    let memory: Arc<[AtomicU64]> = (0..PAGES).map(|_| AtomicU64::new(0)).collect();
    let writer = |offset: usize| {
        let (log, memory) = (Arc::clone(&log), Arc::clone(&memory));
        std::thread::spawn(move || {
            for n in 0..100_000 {
                let page = (n * 7 + offset) % PAGES;
                memory[page].fetch_add(1, Ordering::Relaxed);
                log.mark(address(page), address(page));
            }
        })
    };
    let writers = [writer(0), writer(50)];
    let mut copy = vec![0; memory.len()];
    loop {
        let done = writers.iter().all(std::thread::JoinHandle::is_finished);
        for page in report(&log, 0, SIZE - 1, 4096) {
            let page = usize::try_from(page).unwrap();
            let page = page / (4 * 83) * 4 + page % (4 * 83);
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
