//! Dirty page logging: which memory the device has written.
//!
//! A write is marked after it is done, never before: a client that reads the log, and the memory
//! after that, sees every write that was marked. A write that the log has missed is in the next
//! one.

mod bits;
mod report;
mod shown;
mod sweep;
#[cfg(all(test, not(loom)))]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bits::{Bits, Part};
pub(crate) use report::Report;
pub use shown::ShownPages;
pub(crate) use sweep::Sweep;

/// The maximum granules of a region: their bits take 256 MiB of address space, and as much memory
/// as is touched.
const MAX_GRANULES: u64 = 1 << 31;
/// The maximum granules of all regions of a device: a device with the maximum number of regions of
/// many TiB needs at most 512 MiB when everything is written.
const MAX_GRANULES_OF_DEVICE: u64 = 1 << 32;
/// The minimum granules of a region.
const MIN_GRANULES: u64 = 64;

/// The granules that the regions of one device use.
#[derive(Debug, Default)]
pub(super) struct Granules(AtomicU64);

impl Granules {
    /// Takes up to `wanted`, but no more than half of the rest, because other regions may follow.
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

/// The granules that one region may use; returned on drop.
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

/// The log of one region: one bit per granule. A granule is a page, or larger in a region of many
/// TiB and where the regions of a device add up to many TiB.
#[derive(Debug)]
pub(super) struct PageLog {
    first: u64,
    last: u64,
    /// The granules of the device.
    granules: Arc<Granules>,
    /// Created by the first write that is logged.
    bits: OnceLock<Bits>,
}

impl PageLog {
    pub(super) fn new(first: u64, last: u64, granules: &Arc<Granules>) -> Self {
        PageLog { first, last, granules: Arc::clone(granules), bits: OnceLock::new() }
    }

    /// Returns whether the region shares an address with `[first, last]`.
    pub(super) fn overlaps(&self, first: u64, last: u64) -> bool {
        self.first <= last && first <= self.last
    }

    /// Marks the part of `[first, last]` that is in the region.
    pub(super) fn mark(&self, first: u64, last: u64) {
        if self.overlaps(first, last) {
            let bits = self.bits.get_or_init(|| Bits::new(self.first, self.last, &self.granules));
            bits.mark(first.max(self.first), last.min(self.last));
        }
    }

    /// Takes the marks of the part of `[first, last]` that is in the region, looking through at
    /// most `words` words, and reports them. Returns the address at which to continue, if more are
    /// left.
    fn take(
        &self,
        first: u64,
        last: u64,
        words: &mut u64,
        report: &mut dyn FnMut(u64, u64),
    ) -> Option<u64> {
        let bits = self.bits.get().filter(|_| self.overlaps(first, last))?;
        let (first, last) = (first.max(self.first), last.min(self.last));
        let mut kept = bits.kept(first, last);
        // The region has no lower address.
        kept[0] = kept[0].filter(|_| first > self.first);
        kept[1] = kept[1].filter(|_| last < self.last);
        let part = Part { first, last, kept };
        bits.take(&part, words, &mut |low, high| report(low.max(first), high.min(last)))
    }
}
