//! What the server drives.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::dma::Dma;
use crate::interrupt::Interrupts;
use crate::protocol::{Errno, RegionFlags, RegionIndex, SparseArea};

/// A PCI function as a client sees it: regions, interrupts, memory.
///
/// The server knows nothing of devices but this. [`Hosted`](super::Hosted) implements it for every
/// [`PciDevice`](crate::PciDevice); implement it by hand for a function whose regions are not made
/// of registers.
///
/// All methods run on one thread, and none may block for long: clients wait five seconds.
pub trait Function: Send {
    /// What clients are told of a region.
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

    /// Puts everything but the client's own settings back to power-on.
    fn reset(&mut self);

    /// A client has attached.
    fn connected(&mut self) {}

    /// The client is gone; its memory and its eventfds have been taken away.
    fn disconnected(&mut self) {}

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

    /// Does the work that is due now.
    fn work(&mut self) {}
}

/// What clients are told of a region.
#[derive(Clone, Debug)]
pub struct Region<'a> {
    /// What a client may do; [`RegionFlags::CAPS`] and [`RegionFlags::MMAP`] are added by the
    /// server.
    pub flags: RegionFlags,
    /// In bytes; 0 for a region that does not exist.
    pub size: u64,
    /// The memory behind it that clients may map.
    pub mapping: Option<RegionMapping<'a>>,
}

/// Memory that clients may map instead of sending messages.
#[derive(Clone, Debug)]
pub struct RegionMapping<'a> {
    /// The file to map.
    pub file: BorrowedFd<'a>,
    /// Where in the file the region starts; page aligned.
    pub offset: u64,
    /// The mappable parts, in bytes from the start of the region, page aligned; empty means all.
    pub areas: &'a [SparseArea],
}

impl Region<'_> {
    /// A region that does not exist.
    pub const ABSENT: Region<'static> =
        Region { flags: RegionFlags::empty(), size: 0, mapping: None };

    /// A region that is reached by messages alone.
    pub const fn by_messages(flags: RegionFlags, size: u64) -> Self {
        Region { flags, size, mapping: None }
    }
}
