//! The state that every access checks: its session, the bus master gate, whether writes are logged.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};

use super::DmaError;
use super::incoming_file::Accepted;
use super::log::Granules;
use crate::limits::Limits;

/// The number of a session: the time from the end of one client, or reset, to that of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Session(u64);

/// Counts the holders of one client's memory: everything that refers to a region has a clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Holding(Arc<()>);

impl Holding {
    /// Returns whether a clone exists. If none does, all holders have finished their accesses.
    pub(super) fn is_shared(&self) -> bool {
        let is_shared = Arc::strong_count(&self.0) > 1;
        fence(Ordering::Acquire);
        is_shared
    }
}

/// Writes are logged.
const LOGGING: u8 = 1;
/// Bytes are counted.
const COUNTING: u8 = 2;

/// The bytes that accesses have moved.
#[derive(Debug, Default)]
struct Bytes {
    read: AtomicU64,
    written: AtomicU64,
}

/// The status that the handles, regions and guards of one device share.
#[derive(Debug, Default)]
pub(super) struct Status {
    session: AtomicU64,
    /// Whether the guest denies the device access to memory.
    is_shut: AtomicBool,
    /// What is noted of accesses.
    notes: AtomicU8,
    bytes: Bytes,
    /// The default until it is set.
    accepted: OnceLock<Accepted>,
    /// The defaults until they are set.
    limits: OnceLock<Limits>,
    /// The granules of the logs.
    granules: Arc<Granules>,
}

impl Status {
    /// Checks that an access of this session may begin.
    ///
    /// # Errors
    ///
    /// [`DmaError::SessionEnded`], [`DmaError::NotBusMaster`].
    #[inline]
    pub(super) fn check(&self, session: Session, iova: u64) -> Result<(), DmaError> {
        self.check_session(session, iova)?;
        self.check_open(iova)
    }

    /// Checks that the session has not ended.
    ///
    /// # Errors
    ///
    /// [`DmaError::SessionEnded`].
    #[inline]
    pub(super) fn check_session(&self, session: Session, iova: u64) -> Result<(), DmaError> {
        let current = Session(self.session.load(Ordering::Acquire));
        if current == session { Ok(()) } else { Err(DmaError::SessionEnded { iova }) }
    }

    /// Checks the bus master gate.
    ///
    /// # Errors
    ///
    /// [`DmaError::NotBusMaster`].
    #[inline]
    pub(super) fn check_open(&self, iova: u64) -> Result<(), DmaError> {
        let is_shut = self.is_shut.load(Ordering::Relaxed);
        if is_shut { Err(DmaError::NotBusMaster { iova }) } else { Ok(()) }
    }

    /// Ends the session. Returns the next one.
    pub(super) fn end_session(&self) -> Session {
        Session(self.session.fetch_add(1, Ordering::AcqRel) + 1)
    }

    pub(super) fn set_open(&self, open: bool) {
        self.is_shut.store(!open, Ordering::Relaxed);
    }

    pub(super) fn granules(&self) -> &Arc<Granules> {
        &self.granules
    }

    /// Sets the limits, once.
    pub(super) fn limit(&self, limits: Limits) {
        // A device is served at one socket, so there is no second time.
        let _ = self.limits.set(limits);
    }

    pub(super) fn limits(&self) -> &Limits {
        self.limits.get().unwrap_or(&Limits::DEFAULT)
    }

    /// Sets which descriptors are accepted, once.
    pub(super) fn accept(&self, accepted: Accepted) {
        // As for the limits.
        let _ = self.accepted.set(accepted);
    }

    pub(super) fn accepted(&self) -> Accepted {
        self.accepted.get().copied().unwrap_or_default()
    }

    pub(super) fn is_logging(&self) -> bool {
        self.notes.load(Ordering::Relaxed) & LOGGING != 0
    }

    pub(super) fn set_logging(&self, logging: bool) {
        if logging {
            self.notes.fetch_or(LOGGING, Ordering::Relaxed);
        } else {
            self.notes.fetch_and(!LOGGING, Ordering::Relaxed);
        }
    }

    /// Counts the bytes of accesses from now on.
    pub(super) fn count_bytes(&self) {
        self.notes.fetch_or(COUNTING, Ordering::Relaxed);
    }

    /// Returns whether writes are logged, or counted.
    #[inline]
    pub(super) fn notes_writes(&self) -> bool {
        self.notes.load(Ordering::Relaxed) != 0
    }

    #[inline]
    fn is_counting(&self) -> bool {
        self.notes.load(Ordering::Relaxed) & COUNTING != 0
    }

    /// Counts bytes that were read, if they are counted.
    #[inline]
    pub(super) fn note_read(&self, len: u64) {
        if self.is_counting() {
            self.bytes.read.fetch_add(len, Ordering::Relaxed);
        }
    }

    /// Counts bytes that were written, if they are counted.
    pub(super) fn note_write(&self, len: u64) {
        if self.is_counting() {
            self.bytes.written.fetch_add(len, Ordering::Relaxed);
        }
    }

    /// Returns the bytes that were read, and written.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.bytes.read.load(Ordering::Relaxed), self.bytes.written.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::ftruncate;

    use crate::dma::{Accepted, AccessMode, Dma, NewRegion, Rights};

    fn dma() -> Dma {
        let dma = Dma::of_device();
        let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&file, 0x1000).unwrap();
        let (rights, file) = (Rights::all(), file.into());
        let region =
            NewRegion::file(0, 0x1000, rights, file, 0, AccessMode::Mapping, Accepted::Any);
        dma.add(region.unwrap()).unwrap();
        dma
    }

    #[test]
    fn an_access_that_is_under_way_when_its_session_ends_holds_memory() {
        let dma = dma();
        dma.for_session()
            .atomic(0, |_: &AtomicU32| {
                dma.end_session();
                assert!(dma.has_holders());
                dma.pause();
                assert!(dma.has_holders());
                dma.unpause();
                assert!(dma.has_holders());
            })
            .unwrap();
        assert!(!dma.has_holders());
    }

    #[test]
    fn guards_hold_memory_that_is_mapped_and_that_is_not() {
        let dma = dma();
        let guard = dma.map(0, 8).unwrap();
        let copy = guard.clone();
        drop(guard);
        assert!(dma.has_holders());
        dma.end_session();
        dma.pause();
        assert!(dma.has_holders());
        dma.unpause();
        assert!(dma.has_holders());
        dma.take(0, u64::MAX).unwrap();
        assert!(dma.has_holders());
        drop(copy);
        assert!(!dma.has_holders());
    }
}
