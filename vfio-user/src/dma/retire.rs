//! Taking memory away while somebody may still hold it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::{fmt, io};

use crate::eventfd::EventFd;

/// Regions that were taken out of the table together, on their way to their end.
///
/// No access to them can begin any more. One that is under way, and every guard, keeps its region and
/// the memory behind it alive; with the last of them the memory is unmapped, on whichever thread that
/// is, and the departure is over.
pub(crate) struct Departure {
    /// First and last address of each region.
    ranges: Box<[(u64, u64)]>,
    /// Regions that are still held.
    held: AtomicUsize,
    bell: Mutex<Option<Arc<EventFd>>>,
}

impl Departure {
    pub(super) fn new(ranges: Box<[(u64, u64)]>) -> Arc<Self> {
        let held = AtomicUsize::new(ranges.len());
        Arc::new(Departure { ranges, held, bell: Mutex::default() })
    }

    /// Whether nobody holds any of it: memory and descriptors are gone.
    pub(crate) fn is_over(&self) -> bool {
        self.held.load(Ordering::Acquire) == 0
    }

    /// What becomes readable when it is over; `None` if it is over already.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn bell(&self) -> io::Result<Option<Arc<EventFd>>> {
        let mut bell = self.locked();
        // Under the lock: whoever leaves last looks for a bell after it has left.
        if self.is_over() {
            return Ok(None);
        }
        if bell.is_none() {
            *bell = Some(Arc::new(EventFd::new()?));
        }
        Ok(bell.clone())
    }

    /// Whether it has a region, still held, that shares an address with `[first, last]`.
    pub(super) fn occupies(&self, first: u64, last: u64) -> bool {
        !self.is_over() && self.ranges.iter().any(|range| range.0 <= last && first <= range.1)
    }

    fn leave(&self) {
        if self.held.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(bell) = &*self.locked()
        {
            bell.signal();
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Arc<EventFd>>> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departure").field("held", &self.held).finish_non_exhaustive()
    }
}

/// What a region departs with. To be dropped after everything else of it.
#[derive(Debug, Default)]
pub(super) struct Ticket(OnceLock<Arc<Departure>>);

impl Ticket {
    pub(super) fn assign(&self, departure: &Arc<Departure>) {
        let _ = self.0.set(Arc::clone(departure));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(departure) = self.0.get() {
            departure.leave();
        }
    }
}
