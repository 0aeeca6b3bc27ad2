//! Tracks which writes of hooks the client has acknowledged.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use sync::atomic::{AtomicU64, Ordering};
use sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync;
#[cfg(not(all(test, loom)))]
use std::sync;

/// Counts the writes without a waiting thread, so that an interrupt can wait for those before it.
#[derive(Debug, Default)]
pub(crate) struct PostedWrites {
    /// The number of the last write.
    posted: AtomicU64,
    /// All writes up to this one are settled.
    settled: AtomicU64,
    /// The writes that are not settled.
    open: Mutex<BTreeSet<u64>>,
}

impl PostedWrites {
    /// Returns the number of the last write, unless all are settled.
    pub(crate) fn unsettled(&self) -> Option<u64> {
        let posted = self.posted.load(Ordering::Acquire);
        (posted > self.settled.load(Ordering::Acquire)).then_some(posted)
    }

    /// Returns whether this write and all before it are settled.
    pub(crate) fn has_settled(&self, number: u64) -> bool {
        number <= self.settled.load(Ordering::Acquire)
    }

    /// Counts a write, and returns its number.
    pub(super) fn post(&self) -> u64 {
        let mut open = self.open();
        let number = self.posted.load(Ordering::Relaxed) + 1;
        open.insert(number);
        self.posted.store(number, Ordering::Release);
        number
    }

    /// Settles a write, which is acknowledged or has failed.
    pub(super) fn settle(&self, number: u64) {
        let mut open = self.open();
        open.remove(&number);
        let posted = self.posted.load(Ordering::Relaxed);
        let settled = open.first().map_or(posted, |first| first - 1);
        self.settled.store(settled, Ordering::Release);
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        // No code panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_settled_with_all_before_it() {
        let posted_writes = PostedWrites::default();
        assert_eq!(posted_writes.unsettled(), None);
        let [first, second, third] = [(); 3].map(|()| posted_writes.post());
        posted_writes.settle(second);
        assert_eq!(posted_writes.unsettled(), Some(third));
        assert!(!posted_writes.has_settled(first) && !posted_writes.has_settled(second));
        posted_writes.settle(first);
        assert!(posted_writes.has_settled(second) && !posted_writes.has_settled(third));
        posted_writes.settle(third);
        assert_eq!(posted_writes.unsettled(), None);
    }
}

/// Every order in which threads can do this.
#[cfg(all(test, loom))]
mod interleavings {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    #[test]
    fn what_is_settled_is_settled_with_all_before_it() {
        loom::model(|| {
            let writes = Arc::new(PostedWrites::default());
            let acknowledged = Arc::new(AtomicBool::new(false));
            let [first, second] = [(); 2].map(|()| writes.post());
            let thread = {
                let (writes, acknowledged) = (Arc::clone(&writes), Arc::clone(&acknowledged));
                thread::spawn(move || {
                    acknowledged.store(true, Ordering::Relaxed);
                    writes.settle(first);
                })
            };
            writes.settle(second);
            if writes.has_settled(second) {
                assert!(acknowledged.load(Ordering::Relaxed));
            }
            thread.join().unwrap();
            assert!(writes.has_settled(second));
            assert_eq!(writes.unsettled(), None);
        });
    }
}
