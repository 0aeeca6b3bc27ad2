//! Which writes of hooks the client has acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts the writes that nobody waits for, so that an interrupt can wait for those before it.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The number of the last one.
    posted: AtomicU64,
    /// All up to this one are settled.
    settled: AtomicU64,
    /// Those that are not.
    open: Mutex<BTreeSet<u64>>,
}

impl Order {
    /// The number of the last write, unless all are settled.
    pub(crate) fn unsettled(&self) -> Option<u64> {
        let posted = self.posted.load(Ordering::Acquire);
        (posted > self.settled.load(Ordering::Acquire)).then_some(posted)
    }

    /// Whether this write is settled, and all before it.
    pub(crate) fn has_settled(&self, number: u64) -> bool {
        number <= self.settled.load(Ordering::Acquire)
    }

    /// The number of one more.
    pub(super) fn post(&self) -> u64 {
        let mut open = self.open();
        let number = self.posted.load(Ordering::Relaxed) + 1;
        open.insert(number);
        self.posted.store(number, Ordering::Release);
        number
    }

    /// A write is acknowledged, or has failed.
    pub(super) fn settle(&self, number: u64) {
        let mut open = self.open();
        open.remove(&number);
        let posted = self.posted.load(Ordering::Relaxed);
        let settled = open.first().map_or(posted, |first| first - 1);
        self.settled.store(settled, Ordering::Release);
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        // Nothing panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_settled_with_all_before_it() {
        let order = Order::default();
        assert_eq!(order.unsettled(), None);
        let [first, second, third] = [(); 3].map(|()| order.post());
        order.settle(second);
        assert_eq!(order.unsettled(), Some(third));
        assert!(!order.has_settled(first) && !order.has_settled(second));
        order.settle(first);
        assert!(order.has_settled(second) && !order.has_settled(third));
        order.settle(third);
        assert_eq!(order.unsettled(), None);
    }
}
