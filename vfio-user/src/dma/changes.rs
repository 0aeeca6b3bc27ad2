//! Changes that a client makes to its memory: map, unmap, log, disconnect.

use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use tracing::debug;

use super::file::Files;
use super::region::Region;
use super::table::Table;
use super::{Accepted, Completed, Dma, DmaError, NewRegion, PendingUnmap, Remains, Sweep};
use crate::limits::Limits;
use crate::protocol::Errno;
use crate::sys::barrier_everywhere;
use crate::tape::Act;

/// The number of regions that are removed in a turn.
const SLICE: usize = 2048;

#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) files: Files,
    /// Regions that were unmapped while they were held.
    pub(super) pending_unmaps: Vec<PendingUnmap>,
    /// All memory, while the device is stopped.
    pub(super) paused: Option<Arc<Table>>,
    /// Regions that were replaced by others of the same memory, to find those that are still held.
    pub(super) renewed: Vec<Weak<Region>>,
}

impl Dma {
    /// Opens or closes the gate for new accesses: the guest sets or clears bus master.
    pub(crate) fn set_bus_master(&self, open: bool) {
        self.shared.status.set_open(open);
    }

    /// Returns which descriptors are accepted as memory.
    pub(crate) fn accepted(&self) -> Accepted {
        self.shared.status.accepted()
    }

    /// Sets the limits, before the first client.
    pub(crate) fn limit(&self, limits: Limits) {
        self.shared.status.limit(limits);
        self.shared.transfers.limit(limits);
        self.changes().files.limit(limits.mapped_bytes);
    }

    /// Returns the limits.
    pub(crate) fn limits(&self) -> &Limits {
        self.shared.status.limits()
    }

    /// Sets which descriptors are accepted as memory, before the first client.
    pub(crate) fn accept(&self, accepted: Accepted) {
        self.shared.status.accept(accepted);
    }

    /// Ends the session, at a reset or because the client is gone. From then on every handle,
    /// guard, fetch and queued write of the session fails. The memory stays mapped.
    pub(crate) fn end_session(&self) {
        self.note(|| Act::EndDma);
        let mut changes = self.changes();
        let session = self.shared.status.end_session();
        let mapped = self.mapped(&changes).in_session(session);
        if changes.paused.is_some() {
            self.set_table(Arc::new(Table::paused(session)));
        }
        self.set_mapped(&mut changes, mapped);
        drop(changes);
        self.transfers().end_session(session).into_iter().for_each(Completed::report);
    }

    /// Returns whether a guard or a snapshot holds memory of the client, mapped or not, or an
    /// access of an earlier session is in progress. (Short accesses of this session count only once
    /// their table is replaced.)
    pub(crate) fn has_holders(&self) -> bool {
        let changes = self.changes();
        self.mapped(&changes).holding().is_shared()
    }

    /// Returns a function that checks later whether the current session has ended.
    pub(crate) fn session_check(&self) -> impl Fn(u64) -> Result<(), DmaError> + Send + use<> {
        let status = Arc::clone(&self.shared.status);
        let session = self.any_table().session();
        move |iova| status.check_session(session, iova)
    }

    /// Returns whether writes are logged.
    pub(crate) fn is_logging(&self) -> bool {
        self.shared.status.is_logging()
    }

    /// Starts to log writes. Earlier marks must be [cleared](Self::sweep).
    pub(crate) fn start_logging(&self) {
        self.shared.status.set_logging(true);
        // A thread that has not seen this flag has finished its write, visibly for all threads.
        barrier_everywhere();
    }

    /// Stops logging writes.
    pub(crate) fn stop_logging(&self) {
        self.shared.status.set_logging(false);
    }

    /// Returns a sweep of the writes inside `[first, last]`. Memory that is still held after it was
    /// unmapped counts as mapped for the client.
    pub(crate) fn sweep(&self, first: u64, last: u64) -> Sweep {
        let changes = self.changes();
        let table = self.mapped(&changes);
        let mapped = table.overlapping(first, last).map(|region| region.log());
        let departed = changes.pending_unmaps.iter().flat_map(PendingUnmap::logs);
        Sweep::new(mapped.chain(departed).cloned().collect(), first, last)
    }

    /// Adds a region; returns `false` if it exists already.
    ///
    /// # Errors
    ///
    /// EEXIST if it overlaps another region (an exact duplicate is accepted), EBUSY if it overlaps
    /// one that is still held, ENOSPC if there are too many; EACCES if the descriptor does not
    /// grant the rights, ENODEV if the file cannot be memory, otherwise the error of `mmap(2)`.
    pub(crate) fn add(&self, region: NewRegion) -> Result<bool, Errno> {
        let mut changes = self.changes();
        let span = *region.span();
        changes.expect_free(span.first, span.last)?;
        let table = self.mapped(&changes);
        let new = table.check_new(&span, self.limits().dma_maps)?;
        if new {
            let region =
                region.open(&mut changes.files, &self.shared.status, &self.shared.transfers)?;
            self.note(|| region.mapped_by());
            let region = match self.tap() {
                None => region,
                Some(tap) => region.tapped(tap),
            };
            self.set_mapped(&mut changes, table.with(Arc::new(region)));
        }
        Ok(new)
    }

    /// Removes every region inside `[first, last]`; no new access to them begins. It is not an
    /// error if there is none, because clients with a virtual IOMMU unmap ranges that they never
    /// mapped.
    ///
    /// The returned unmap may be [finished](PendingUnmap::is_released) immediately; if not, guards
    /// hold some of the memory. Until it is finished the addresses stay occupied, whether a thread
    /// waits for that or not.
    ///
    /// # Errors
    ///
    /// EINVAL if a region is only partly inside, EBUSY if a region inside was removed earlier and
    /// is still held; nothing is removed then.
    pub(crate) fn take(&self, first: u64, last: u64) -> Result<PendingUnmap, Errno> {
        let mut changes = self.changes();
        changes.expect_free(first, last)?;
        let table = self.mapped(&changes);
        let regions = table.inside(first, last)?;
        self.note(|| Act::Unmap { first, last });
        let logs = regions.iter().map(|region| Arc::clone(region.log())).collect();
        let unmap = PendingUnmap::new(logs);
        if !regions.is_empty() {
            for region in &regions {
                region.token().assign(&unmap);
            }
            let rest = table.without(first, last, &regions);
            drop(table);
            self.set_mapped(&mut changes, rest);
            // Unmaps the regions that are not held.
            drop(regions);
        }
        if !unmap.is_released() {
            changes.pending_unmaps.push(unmap.clone());
        }
        drop(changes);
        self.transfers().withdraw(first, last).into_iter().for_each(Completed::report);
        Ok(unmap)
    }

    /// Returns whether there is a region to remove inside `[first, last]`.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub(crate) fn has(&self, first: u64, last: u64) -> Result<bool, Errno> {
        let mut changes = self.changes();
        changes.expect_free(first, last)?;
        self.mapped(&changes).check_inside(first, last)
    }

    /// Returns the end of the part of `[first, last]` that is to be [removed](Self::take) in one
    /// turn, before other sessions run.
    pub(crate) fn end_of_slice(&self, first: u64, last: u64) -> u64 {
        self.mapped(&self.changes()).end_of_part(first, last, SLICE)
    }

    /// Ends the session, stops logging, and removes all memory: guards keep it alive, but it
    /// occupies no address of the next client. A stopped device runs again. Returns the memory,
    /// which is to be dropped slice by slice.
    pub(crate) fn disconnect(&self) -> Remains {
        self.note(|| Act::LeaveDma);
        self.stop_logging();
        let mut changes = self.changes();
        let table = self.mapped(&changes);
        changes.paused = None;
        changes.renewed.clear();
        changes.pending_unmaps.clear();
        let session = self.shared.status.end_session();
        self.set_table(Arc::new(Table::of_session(session)));
        drop(changes);
        self.transfers().end_session(session).into_iter().for_each(Completed::report);
        if table.holding().is_shared() {
            debug!(
                "the device still holds memory of the client; only raw addresses and slices that \
                 were taken before still reach it"
            );
        }
        Remains::new(&table)
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, Changes> {
        // Changes are consistent between any two steps, so a panic elsewhere does not corrupt them.
        self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Returns whether memory that was removed is still held.
    pub(super) fn has_departed(&mut self) -> bool {
        self.pending_unmaps.retain(|unmap| !unmap.is_released());
        !self.pending_unmaps.is_empty()
    }

    /// # Errors
    ///
    /// EBUSY if memory that was removed is still held there.
    fn expect_free(&mut self, first: u64, last: u64) -> Result<(), Errno> {
        self.pending_unmaps.retain(|unmap| !unmap.is_released());
        let occupied = self.pending_unmaps.iter().any(|unmap| unmap.occupies(first, last));
        if occupied { Err(Errno::EBUSY) } else { Ok(()) }
    }
}
