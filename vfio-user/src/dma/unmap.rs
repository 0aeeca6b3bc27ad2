//! Removal of memory that may still be held.

use std::sync::{Arc, PoisonError};
use std::{fmt, io};

use super::log::{PageLog, Sweep};
use crate::eventfd::EventFd;
use sync::atomic::{AtomicUsize, Ordering};
use sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync;
#[cfg(not(all(test, loom)))]
use std::sync;

/// Regions that were removed from the table together and that may still be held.
///
/// No new access to them begins. An access in progress, and every guard, keeps its region and the
/// memory behind it alive. When the last of them is dropped, on any thread, the memory is unmapped
/// and the unmap is finished.
#[derive(Clone)]
pub(crate) struct PendingUnmap(Arc<UnmapState>);

struct UnmapState {
    /// The log of each region.
    logs: Box<[Arc<PageLog>]>,
    /// The number of regions that are still held.
    held: AtomicUsize,
    release_event: Mutex<Option<Arc<EventFd>>>,
}

impl PendingUnmap {
    /// Creates an unmap of regions with these logs.
    pub(super) fn new(logs: Box<[Arc<PageLog>]>) -> Self {
        let held = AtomicUsize::new(logs.len());
        PendingUnmap(Arc::new(UnmapState { logs, held, release_event: Mutex::new(None) }))
    }

    /// Returns whether nothing holds any of it: its mappings are gone, or collected as
    /// [`Leftovers`](super::Leftovers), and its descriptors are closed, or queued for that.
    pub(crate) fn is_released(&self) -> bool {
        self.0.held.load(Ordering::Acquire) == 0
    }

    /// Returns an eventfd that becomes readable when the unmap is finished; `None` if it is
    /// already.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn release_event(&self) -> io::Result<Option<Arc<EventFd>>> {
        let mut release_event = locked(&self.0.release_event);
        // Under the lock, because the last holder looks for a release event after it has left.
        if self.is_released() {
            return Ok(None);
        }
        if release_event.is_none() {
            *release_event = Some(Arc::new(EventFd::new()?));
        }
        Ok(release_event.clone())
    }

    /// Returns whether it has a held region that shares an address with `[first, last]`.
    pub(super) fn occupies(&self, first: u64, last: u64) -> bool {
        !self.is_released() && self.0.logs.iter().any(|log| log.overlaps(first, last))
    }

    /// Returns a sweep of the writes to the regions of unmaps inside `[first, last]`.
    pub(crate) fn sweep(unmaps: &[PendingUnmap], first: u64, last: u64) -> Sweep {
        Sweep::new(unmaps.iter().flat_map(PendingUnmap::logs).cloned().collect(), first, last)
    }

    /// Returns the logs of its regions.
    pub(super) fn logs(&self) -> impl Iterator<Item = &Arc<PageLog>> {
        self.0.logs.iter()
    }

    fn release(&self) {
        if self.0.held.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(release_event) = &*locked(&self.0.release_event)
        {
            release_event.signal();
        }
    }
}

impl fmt::Debug for PendingUnmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingUnmap").field("held", &self.0.held).finish_non_exhaustive()
    }
}

/// The token by which a region reports its end. Drop it after everything else of the region.
#[derive(Debug)]
pub(super) struct RegionToken(Mutex<Option<PendingUnmap>>);

impl RegionToken {
    pub(super) fn new() -> Self {
        RegionToken(Mutex::new(None))
    }

    pub(super) fn assign(&self, unmap: &PendingUnmap) {
        *locked(&self.0) = Some(unmap.clone());
    }

    /// Returns whether the region is being unmapped.
    pub(super) fn is_assigned(&self) -> bool {
        locked(&self.0).is_some()
    }

    /// Takes the region out of its unmap: it stays.
    pub(super) fn withdraw(&self) {
        *locked(&self.0) = None;
    }
}

impl Drop for RegionToken {
    fn drop(&mut self) {
        if let Some(unmap) = locked(&self.0).take() {
            unmap.release();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The content is set in one step, so a panic elsewhere does not corrupt it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every order in which threads can do this.
#[cfg(all(test, loom))]
mod interleavings {
    use super::*;
    use loom::sync::atomic::AtomicBool;
    use loom::sync::{Arc, RwLock};
    use loom::thread;

    /// What is behind a region.
    struct Memory(Arc<AtomicBool>);

    impl Drop for Memory {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Relaxed);
        }
    }

    struct Region {
        _memory: Memory,
        token: RegionToken,
    }

    fn region() -> (Arc<Region>, Arc<AtomicBool>) {
        let mapped = Arc::new(AtomicBool::new(true));
        let memory = Memory(Arc::clone(&mapped));
        (Arc::new(Region { _memory: memory, token: RegionToken::new() }), mapped)
    }

    fn begin_unmap(region: &Region) -> PendingUnmap {
        let unmap = PendingUnmap::new(Box::new([std::sync::Arc::new(PageLog::new(
            0,
            0,
            &std::sync::Arc::default(),
        ))]));
        region.token.assign(&unmap);
        unmap
    }

    #[test]
    fn whoever_waits_is_woken_when_the_memory_is_gone() {
        loom::model(|| {
            let (region, mapped) = region();
            let guard = Arc::clone(&region);
            let holder = thread::spawn(move || drop(guard));
            let unmap = begin_unmap(&region);
            drop(region);
            let release_event = unmap.release_event().unwrap();
            if release_event.is_none() {
                assert!(!mapped.load(Ordering::Relaxed));
            }
            holder.join().unwrap();
            assert!(unmap.is_released());
            assert!(!mapped.load(Ordering::Relaxed));
            assert!(release_event.is_none_or(|release_event| release_event.take() == Some(1)));
        });
    }

    /// The swap itself is not under test; here a lock replaces it.
    #[test]
    fn what_a_reader_finds_is_there_until_it_has_read() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let (region, mapped) = region();
            let table = Arc::new(RwLock::new(Arc::new(Some(region))));
            let readers = [(); 2].map(|()| {
                let (table, mapped) = (Arc::clone(&table), Arc::clone(&mapped));
                thread::spawn(move || {
                    let snapshot = Arc::clone(&table.read().unwrap());
                    if snapshot.is_some() {
                        assert!(mapped.load(Ordering::Relaxed));
                    }
                })
            });
            let old = Arc::clone(&table.read().unwrap());
            let unmap = old.as_deref().map(begin_unmap).unwrap();
            let before = std::mem::replace(&mut *table.write().unwrap(), Arc::new(None));
            drop((old, before));
            if unmap.is_released() {
                assert!(!mapped.load(Ordering::Relaxed));
            }
            for reader in readers {
                reader.join().unwrap();
            }
            assert!(unmap.is_released());
        });
    }
}
