//! The last accesses: written by the device's thread, read by any other one without a lock.

use atomic::{AtomicU64, Ordering, fence};

#[cfg(all(test, loom))]
use loom::sync::atomic;
#[cfg(not(all(test, loom)))]
use std::sync::atomic;

/// The number of accesses that are kept.
#[cfg(not(all(test, loom)))]
pub(crate) const LAST: usize = 256;
#[cfg(all(test, loom))]
pub(crate) const LAST: usize = 1;

/// The last accesses. One thread writes them.
#[derive(Debug)]
pub(super) struct Ring {
    /// The number of all accesses so far.
    count: AtomicU64,
    entries: Box<[Entry]>,
}

/// An access, as words.
pub(super) type Words = [u64; 4];

#[derive(Debug, Default)]
struct Entry {
    /// Odd while the words change; the number of the access is half of it.
    sequence: AtomicU64,
    words: [AtomicU64; 4],
}

impl Ring {
    pub(super) fn new() -> Self {
        let entries = (0..LAST).map(|_| Entry::default());
        Ring { count: AtomicU64::new(0), entries: entries.collect() }
    }

    /// Replaces the oldest entry.
    pub(super) fn push(&self, words: Words) {
        let number = self.count.load(Ordering::Relaxed);
        let entry = &self.entries[place(number)];
        entry.sequence.store(2 * number + 1, Ordering::Relaxed);
        // A reader that sees one of the words sees the odd number, too.
        fence(Ordering::Release);
        for (to, from) in entry.words.iter().zip(words) {
            to.store(from, Ordering::Relaxed);
        }
        entry.sequence.store(2 * number + 2, Ordering::Release);
        self.count.store(number + 1, Ordering::Release);
    }

    /// Returns the entries with their numbers, the oldest one first. Those that the device's thread
    /// replaces meanwhile are left out.
    pub(super) fn read(&self) -> Vec<(u64, Words)> {
        let end = self.count.load(Ordering::Acquire);
        let numbers = end.saturating_sub(LAST as u64)..end;
        numbers.filter_map(|number| Some((number, self.entry(number)?))).collect()
    }

    fn entry(&self, number: u64) -> Option<Words> {
        let entry = &self.entries[place(number)];
        let before = entry.sequence.load(Ordering::Acquire);
        let words = [0, 1, 2, 3].map(|at: usize| entry.words[at].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let after = entry.sequence.load(Ordering::Relaxed);
        (before == after && before == 2 * number + 2).then_some(words)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder of a small number")]
fn place(number: u64) -> usize {
    (number % LAST as u64) as usize
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    #[test]
    fn the_last_entries_are_kept() {
        let ring = Ring::new();
        for n in 0..1000 {
            ring.push([n; 4]);
        }
        let read = ring.read();
        assert_eq!(read.len(), LAST);
        assert!(read.iter().zip(744..).all(|(one, n)| *one == (n, [n; 4])), "{read:?}");
    }

    #[test]
    fn no_entry_is_read_while_it_changes() {
        let (ring, ended) = (Ring::new(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..2_000_000).for_each(|n| ring.push([n; 4]));
                ended.store(true, Ordering::Relaxed);
            });
            while !ended.load(Ordering::Relaxed) {
                for (number, words) in ring.read() {
                    assert_eq!(words, [number; 4]);
                }
            }
        });
    }
}

/// Every order in which threads can do this.
#[cfg(all(test, loom))]
mod interleavings {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn no_entry_is_read_while_it_changes() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let ring = Arc::new(Ring::new());
            let writer = Arc::clone(&ring);
            let writer = thread::spawn(move || (0..2).for_each(|n| writer.push([n; 4])));
            for (number, words) in ring.read() {
                assert_eq!(words, [number; 4]);
            }
            writer.join().unwrap();
            assert_eq!(ring.read(), [(1, [1; 4])]);
        });
    }
}
