//! The trait of the functions that a server drives.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use crate::dma::Dma;
use crate::error::Result;
use crate::interrupt::Interrupts;
use crate::model::{DataMatch, Region};
use crate::protocol::{Errno, MigrationState, RegionIndex};

/// A PCI function as a client sees it: regions, interrupts, memory.
///
/// The server uses devices through this trait alone. [`PciFunction`](super::PciFunction) implements
/// it for every [`PciDevice`](crate::PciDevice); implement it by hand for a function whose regions
/// are not made of registers.
///
/// All methods run on one thread, and none may block for long: clients wait five seconds.
pub trait Function: Send {
    /// Returns the name of the function in logs.
    #[expect(clippy::unnecessary_literal_bound, reason = "others borrow their names")]
    fn name(&self) -> &str {
        "function"
    }

    /// Returns the name of the hook that runs, for display by another thread, which logs it when
    /// the hook does not return. `None` if the function does not name its hooks.
    fn running_hook(&self) -> Option<Arc<dyn fmt::Display + Send + Sync>> {
        None
    }

    /// Returns the number of regions: nine, and the device specific ones.
    fn regions(&self) -> u32 {
        u32::try_from(RegionIndex::COUNT).unwrap_or(u32::MAX)
    }

    /// Returns the information on a region for clients; [`Region::ABSENT`] for a region that does
    /// not exist.
    fn region(&self, index: RegionIndex) -> Region<'_>;

    /// Reads from a region. The range lies inside the region, and the region is readable.
    ///
    /// # Errors
    ///
    /// The error that the client receives.
    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno>;

    /// Writes to a region. The range lies inside the region, and the region is writable.
    ///
    /// # Errors
    ///
    /// The error that the client receives.
    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno>;

    /// Returns the doorbells of a region: writes that clients may turn into signals of eventfds.
    fn doorbells(&self, region: RegionIndex) -> Vec<Doorbell> {
        let _ = region;
        Vec::new()
    }

    /// Returns the eventfd of a doorbell, by its index in [`doorbells`](Self::doorbells). A signal
    /// of the eventfd counts as a write.
    ///
    /// # Errors
    ///
    /// Fails when the process cannot open more descriptors.
    fn doorbell_fd(&mut self, region: RegionIndex, index: usize) -> io::Result<OwnedFd> {
        let _ = (region, index);
        Err(io::ErrorKind::NotFound.into())
    }

    /// Handles requests that the client has made outside its socket, before the messages that have
    /// been received since then.
    fn catch_up(&mut self) {}

    /// Prepares the device for a reset or a migration: holders of memory should release it.
    fn quiesce(&mut self) {}

    /// Stops the device: it handles the pending events, and none from then on.
    fn stop(&mut self) {}

    /// Resumes the device where it was stopped, or was about to be.
    fn resume(&mut self) {}

    /// Returns the migration state; `None` if the device does not migrate.
    fn migration_state(&self) -> Option<MigrationState> {
        None
    }

    /// Changes the migration state by the shortest path (vfio-user specification,
    /// `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`).
    ///
    /// A device that ran has been [stopped](Self::stop), and does not run in the new state.
    ///
    /// # Errors
    ///
    /// The error that the client receives. The device is then in the last state that it has
    /// reached.
    fn migrate(&mut self, target: MigrationState) -> Result<(), Errno> {
        let _ = target;
        Err(Errno::ENOTTY)
    }

    /// Reads the next bytes of the state that is saved, and returns their number. Fewer bytes than
    /// requested mean that no more are available for now.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no state is being saved, otherwise the error that the client receives.
    fn read_state(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        let _ = data;
        Err(Errno::EINVAL)
    }

    /// Writes the next bytes of the state that is loaded. What takes longer than one turn of its
    /// thread is left to [`continue_state`](Self::continue_state).
    ///
    /// # Errors
    ///
    /// `EINVAL` if no state is being loaded, otherwise the error that the client receives.
    fn write_state(&mut self, data: &[u8]) -> Result<(), Errno> {
        let _ = data;
        Err(Errno::EINVAL)
    }

    /// Continues with the work that [`write_state`](Self::write_state) has left; returns whether
    /// more is left. The client is answered after that.
    ///
    /// # Errors
    ///
    /// The error that the client receives.
    fn continue_state(&mut self) -> Result<bool, Errno> {
        Ok(false)
    }

    /// Returns an estimate of how much state remains to be saved, in bytes.
    fn state_size(&self) -> u64 {
        0
    }

    /// Returns whether the guest has requested a reset by a write.
    fn wants_reset(&self) -> bool {
        false
    }

    /// Performs that reset. The client is answered at once: while the function has to wait because
    /// memory is still held, it answers reads with ones and ignores writes.
    fn reset_as_wanted(&mut self) {}

    /// Resets everything but the client's own settings to the power-on state.
    fn reset(&mut self);

    /// Runs when a client has attached.
    fn connected(&mut self) {}

    /// Runs when the client has left; its memory and its eventfds have been removed.
    fn disconnected(&mut self) {}

    /// Runs when the function is no longer served, because its server ends or removes it. No client
    /// is attached any more.
    ///
    /// # Errors
    ///
    /// The error that the caller of the server receives.
    fn on_removed(&mut self) -> Result<()> {
        Ok(())
    }

    /// Runs when the client has mapped memory: all addresses of this range.
    fn dma_mapped(&mut self, range: RangeInclusive<u64>) {
        let _ = range;
    }

    /// Runs before the client unmaps all memory inside this range, which is not empty: holders of
    /// the memory should release it.
    fn dma_unmapped(&mut self, range: RangeInclusive<u64>) {
        let _ = range;
    }

    /// Runs when the client has set up interrupts again, except for masks of INTx.
    fn irqs_changed(&mut self) {}

    /// Returns the interrupts.
    fn interrupts(&self) -> &Arc<Interrupts>;

    /// Returns the client's memory.
    fn dma(&self) -> &Dma;

    /// Returns whether work besides the client's requests is due now.
    fn has_work(&self) -> bool {
        false
    }

    /// Returns a descriptor to wait for besides the client; it is readable when there is work.
    fn wake(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns the time at which work is due if nothing happens before.
    fn deadline(&mut self) -> Option<Instant> {
        None
    }

    /// Returns the time of the next [`poll`](Self::poll) at memory that guests write without a
    /// message; `None` if there is no such memory. A time in the past requests a poll at once.
    fn next_poll(&self) -> Option<Instant> {
        None
    }

    /// Returns whether such memory has changed; [`work`](Self::work) then handles the change. This
    /// method runs far more often than memory changes, so it has to be quick and calls no hook.
    fn poll(&mut self) -> bool {
        false
    }

    /// Does the work that is due now.
    fn work(&mut self) {}
}

/// A kind of writes to a region that need no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbell {
    /// The offset of the first byte in the region.
    pub offset: u64,
    /// The size of the writes, in bytes.
    pub size: u64,
    /// The value of the writes.
    pub value: DataMatch,
    /// Whether the region decodes I/O ports.
    pub is_port: bool,
}
