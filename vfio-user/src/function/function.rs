//! What the server drives.

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
/// The server knows nothing of devices but this. [`Hosted`](super::Hosted) implements it for every
/// [`PciDevice`](crate::PciDevice); implement it by hand for a function whose regions are not made
/// of registers.
///
/// All methods run on one thread, and none may block for long: clients wait five seconds.
pub trait Function: Send {
    /// The name of the function in logs.
    #[expect(clippy::unnecessary_literal_bound, reason = "others borrow their names")]
    fn name(&self) -> &str {
        "function"
    }

    /// Displays the name of the hook that runs: another thread logs it when that hook does not return.
    /// `None` if the function has no names for them.
    fn running_hook(&self) -> Option<Arc<dyn fmt::Display + Send + Sync>> {
        None
    }

    /// How many regions there are: nine, and the device specific ones.
    fn regions(&self) -> u32 {
        u32::try_from(RegionIndex::COUNT).unwrap_or(u32::MAX)
    }

    /// What clients are told of a region; [`Region::ABSENT`] for one that does not exist.
    fn region(&self, index: RegionIndex) -> Region<'_>;

    /// Reads from a region. The range is inside, and the region readable.
    ///
    /// # Errors
    ///
    /// What the client is told.
    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno>;

    /// Writes to a region. The range is inside, and the region writable.
    ///
    /// # Errors
    ///
    /// What the client is told.
    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno>;

    /// The doorbells of a region: writes that clients may turn into signals of eventfds.
    fn doorbells(&self, region: RegionIndex) -> Vec<Doorbell> {
        let _ = region;
        Vec::new()
    }

    /// The eventfd of a doorbell, by its place in [`doorbells`](Self::doorbells). Whoever signals it
    /// has written.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    fn doorbell_fd(&mut self, region: RegionIndex, place: usize) -> io::Result<OwnedFd> {
        let _ = (region, place);
        Err(io::ErrorKind::NotFound.into())
    }

    /// Does what the client has asked for past its socket, before its messages that have been
    /// received since then are handled.
    fn catch_up(&mut self) {}

    /// The device has to stand still, to be reset or to be migrated: whoever holds memory had better let
    /// go.
    fn quiesce(&mut self) {}

    /// The device stands still from now on: it is given the events that there are, and none any more.
    fn stop(&mut self) {}

    /// The device goes on where it was stopped, or was about to be.
    fn resume(&mut self) {}

    /// Where it is in a migration; `None` if it does not migrate.
    fn migration_state(&self) -> Option<MigrationState> {
        None
    }

    /// Goes to another state by the shortest way (vfio-user specification,
    /// `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`). It has been [stopped](Self::stop) if it ran, and does
    /// not in the other state.
    ///
    /// # Errors
    ///
    /// What the client is told; it is in the last state that it has reached then.
    fn migrate(&mut self, target: MigrationState) -> Result<(), Errno> {
        let _ = target;
        Err(Errno::ENOTTY)
    }

    /// Reads on in the state that is saved; gives how many bytes there were. Less than asked for is
    /// all that there is for now.
    ///
    /// # Errors
    ///
    /// EINVAL if none is saved, otherwise what the client is told.
    fn read_state(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        let _ = data;
        Err(Errno::EINVAL)
    }

    /// Writes on in the state that is loaded.
    ///
    /// # Errors
    ///
    /// EINVAL if none is loaded, otherwise what the client is told.
    fn write_state(&mut self, data: &[u8]) -> Result<(), Errno> {
        let _ = data;
        Err(Errno::EINVAL)
    }

    /// How much of its state is to be saved still, as an estimate in bytes.
    fn state_size(&self) -> u64 {
        0
    }

    /// Whether the guest has asked for a reset by what it has written.
    fn wants_reset(&self) -> bool {
        false
    }

    /// Takes that reset. The client is answered at once: if the function has to wait with it, as memory is
    /// still held, it answers reads with ones and ignores writes until then.
    fn reset_as_wanted(&mut self) {}

    /// Puts everything but the client's own settings back to power-on.
    fn reset(&mut self);

    /// A client has attached.
    fn connected(&mut self) {}

    /// The client is gone; its memory and its eventfds have been taken away.
    fn disconnected(&mut self) {}

    /// It is served no longer: its server ends, or lets it go. No client is there any more.
    ///
    /// # Errors
    ///
    /// What whoever runs the server is told.
    fn retire(&mut self) -> Result<()> {
        Ok(())
    }

    /// The client has mapped memory: all addresses of this range.
    fn dma_mapped(&mut self, range: RangeInclusive<u64>) {
        let _ = range;
    }

    /// The client is about to unmap all memory inside this range, of which there is some: whoever holds
    /// it had better let go.
    fn dma_unmapped(&mut self, range: RangeInclusive<u64>) {
        let _ = range;
    }

    /// The client has set up interrupts anew, but for masks of INTx.
    fn irqs_changed(&mut self) {}

    /// The interrupts.
    fn interrupts(&self) -> &Arc<Interrupts>;

    /// The client's memory.
    fn dma(&self) -> &Dma;

    /// Whether there is work besides the client's requests that is due now.
    fn has_work(&self) -> bool {
        false
    }

    /// What to wait for besides the client, if anything: readable when there is work.
    fn wake(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// When there will be work, if nothing happens before.
    fn deadline(&mut self) -> Option<Instant> {
        None
    }

    /// When to [look](Self::look) at memory that guests write without a message; `None` if there is
    /// nothing to look at. A time in the past asks for a look at once.
    fn next_look(&self) -> Option<Instant> {
        None
    }

    /// Returns whether such memory has changed; then [`work`](Self::work) handles it. It runs far more
    /// often than anything changes, so it is quick, and calls no hook.
    fn look(&mut self) -> bool {
        false
    }

    /// Does the work that is due now.
    fn work(&mut self) {}
}

/// Writes to a region that need no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbell {
    /// First byte, from the start of the region.
    pub offset: u64,
    /// In bytes: writes of this size are meant.
    pub size: u64,
    /// Those of this value are meant.
    pub value: DataMatch,
    /// Whether the region decodes I/O ports.
    pub is_port: bool,
}
