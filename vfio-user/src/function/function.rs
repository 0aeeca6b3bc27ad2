//! The trait of the functions that a server drives.

use std::fmt;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{BackgroundWork, Migrate};
use crate::dma::Dma;
use crate::error::Result;
use crate::interrupt::Interrupts;
use crate::model::{DataMatch, Region};
use crate::monitor::{Answer, Question, Recorder};
use crate::protocol::{Errno, RegionIndex};

/// A PCI function as a client sees it: regions, interrupts, memory.
///
/// The server uses devices through this trait alone. [`PciFunction`](super::PciFunction) implements
/// it for every [`PciDevice`](crate::PciDevice); implement it by hand for a function whose regions
/// are not made of registers.
///
/// Migration ([`Migrate`]) and work besides the client's requests ([`BackgroundWork`]) are
/// optional: for a function that has neither, implement both traits without a method.
///
/// All methods run on one thread, and none may block for long: clients wait five seconds.
pub trait Function: Migrate + BackgroundWork + Send {
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

    /// Returns whether a long access may be divided: each part is then a [`read`](Self::read) or
    /// [`write`](Self::write) of its own, in order, and other devices of the thread have their
    /// turns between parts. Called before the first part.
    ///
    /// # Errors
    ///
    /// The error that the client receives: the access is refused as a whole.
    fn divides(
        &mut self,
        region: RegionIndex,
        is_write: bool,
        range: Range<u64>,
    ) -> Result<bool, Errno> {
        let _ = (region, is_write, range);
        Ok(false)
    }

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

    /// Counts accesses from now on, for a monitor.
    #[doc(hidden)]
    fn record(&mut self) -> Option<Arc<Recorder>> {
        None
    }

    /// Answers a question of a monitor, in a short time and without side effects.
    #[doc(hidden)]
    fn answer(&mut self, question: &Question) -> Answer {
        let _ = question;
        Answer::Refused("nothing of this function can be looked at".to_owned())
    }
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
