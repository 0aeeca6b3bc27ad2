//! What a client does to its memory: maps, unmaps and logs it, and leaves.

use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use super::file::Files;
use super::region::Region;
use super::table::Table;
use super::{Accepted, Departure, Dma, DmaError, NewRegion, Settled, Sweep};
use crate::protocol::Errno;
use crate::sys::barrier_everywhere;

#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) files: Files,
    /// What was taken away while somebody held it.
    pub(super) departures: Vec<Departure>,
    /// All memory, while the device is stopped.
    pub(super) parked: Option<Arc<Table>>,
    /// Regions in the place of which there are others of the same memory now, to see who holds them.
    pub(super) renewed: Vec<Weak<Region>>,
}

impl Dma {
    /// Lets accesses begin, or no more: the guest makes the function bus master, or takes that away.
    pub(crate) fn let_access(&self, open: bool) {
        self.shared.status.set_open(open);
    }

    /// Which descriptors are taken as memory.
    pub(crate) fn accepted(&self) -> Accepted {
        self.shared.status.accepted()
    }

    /// Takes any descriptor that can be mapped, or read and written.
    pub(crate) fn accept_any_file(&self) {
        self.shared.status.accept_any_file();
    }

    /// Ends the session, at a reset or because the client is gone: every handle, guard, fetch and
    /// queued write of it fails from now on. The memory stays mapped.
    pub(crate) fn end_session(&self) {
        let mut changes = self.changes();
        let session = self.shared.status.end_session();
        let mapped = self.mapped(&changes).in_session(session);
        if changes.parked.is_some() {
            self.shared.table.store(Arc::new(Table::paused(session)));
        }
        self.set_mapped(&mut changes, mapped);
        drop(changes);
        self.transfers().end_session(session).into_iter().for_each(Settled::tell);
    }

    /// Whether a guard or a snapshot holds memory of the client's, mapped or not, or an access of an
    /// earlier session is under way. (Short ones of this session show only once their table is
    /// replaced, so that they need not be counted.)
    pub(crate) fn has_holders(&self) -> bool {
        let changes = self.changes();
        self.mapped(&changes).holding().is_shared()
    }

    /// What tells later whether the session of now has ended.
    pub(crate) fn session_check(&self) -> impl Fn(u64) -> Result<(), DmaError> + Send + use<> {
        let status = Arc::clone(&self.shared.status);
        let session = self.any_table().session();
        move |iova| status.check_session(session, iova)
    }

    /// Whether writes are logged.
    pub(crate) fn is_logging(&self) -> bool {
        self.shared.status.is_logging()
    }

    /// Logs writes from now on. What was logged before has to be [forgotten](Self::sweep).
    pub(crate) fn start_logging(&self) {
        self.shared.status.set_logging(true);
        // A thread that has not seen this has finished its write, for all to see.
        barrier_everywhere();
    }

    /// Logs writes no longer.
    pub(crate) fn stop_logging(&self) {
        self.shared.status.set_logging(false);
    }

    /// What was written inside `[first, last]`. Memory that is still held after it was taken away is
    /// mapped for the client.
    pub(crate) fn sweep(&self, first: u64, last: u64) -> Sweep {
        let changes = self.changes();
        let table = self.mapped(&changes);
        let mapped = table.overlapping(first, last).map(|region| region.log());
        let departed = changes.departures.iter().flat_map(Departure::logs);
        Sweep::new(mapped.chain(departed).cloned().collect(), first, last)
    }

    /// Adds a region; `false` if it is there already.
    ///
    /// # Errors
    ///
    /// EEXIST if it overlaps another one (an exact duplicate is accepted), EBUSY if one that is still
    /// held, ENOSPC if there are too many; EACCES if the descriptor does not give the rights, ENODEV if
    /// it has no memory, otherwise what `mmap(2)` says.
    pub(crate) fn add(&self, region: NewRegion) -> Result<bool, Errno> {
        let mut changes = self.changes();
        let span = *region.span();
        changes.expect_free(span.first, span.last)?;
        let table = self.mapped(&changes);
        let new = table.admit(&span)?;
        if new {
            let region =
                region.open(&mut changes.files, &self.shared.status, &self.shared.transfers)?;
            self.set_mapped(&mut changes, table.with(Arc::new(region)));
        }
        Ok(new)
    }

    /// Takes away every region inside `[first, last]`: no access to them begins any more. It is no
    /// error if there is none: clients with a virtual IOMMU unmap what they never mapped.
    ///
    /// What comes back may be [over](Departure::is_over) at once; if it is not, guards hold some of the
    /// memory. Until it is over the addresses stay occupied, whether anybody waits for that or not.
    ///
    /// # Errors
    ///
    /// EINVAL if a region is only partly inside, EBUSY if one is inside that was taken away earlier and
    /// is still held; nothing is taken away then.
    pub(crate) fn take(&self, first: u64, last: u64) -> Result<Departure, Errno> {
        let mut changes = self.changes();
        changes.expect_free(first, last)?;
        let table = self.mapped(&changes);
        let regions = table.inside(first, last)?;
        let logs = regions.iter().map(|region| Arc::clone(region.log())).collect();
        let departure = Departure::new(logs);
        if !regions.is_empty() {
            for region in &regions {
                region.ticket().assign(&departure);
            }
            let rest = table.without(first, last, &regions);
            drop(table);
            self.set_mapped(&mut changes, rest);
            // Unmaps what nobody holds.
            drop(regions);
        }
        if !departure.is_over() {
            changes.departures.push(departure.clone());
        }
        drop(changes);
        self.transfers().withdraw(first, last).into_iter().for_each(Settled::tell);
        Ok(departure)
    }

    /// Whether there is something to take away inside `[first, last]`.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub(crate) fn has(&self, first: u64, last: u64) -> Result<bool, Errno> {
        let mut changes = self.changes();
        changes.expect_free(first, last)?;
        Ok(!self.mapped(&changes).inside(first, last)?.is_empty())
    }

    /// Takes away all memory, logs nothing any more, and forgets what is held: guards keep it alive, but
    /// it occupies no address of the next client's. A device that was stopped goes on.
    pub(crate) fn disconnect(&self) -> Departure {
        self.stop_logging();
        self.unpause();
        self.changes().departures.clear();
        let all = self.take(0, u64::MAX).unwrap_or_else(|_| Departure::new(Box::default()));
        self.changes().departures.clear();
        self.end_session();
        let mut changes = self.changes();
        let unheld = self.mapped(&changes).unheld();
        self.set_mapped(&mut changes, unheld);
        drop(changes);
        all
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, Changes> {
        // Changes are whole between any two steps, so a panic elsewhere does not spoil them.
        self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// # Errors
    ///
    /// EBUSY if memory that was taken away is still held there.
    fn expect_free(&mut self, first: u64, last: u64) -> Result<(), Errno> {
        self.departures.retain(|departure| !departure.is_over());
        let occupied = self.departures.iter().any(|departure| departure.occupies(first, last));
        if occupied { Err(Errno::EBUSY) } else { Ok(()) }
    }
}
