//! Pieces of the client's memory that are held.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use super::DmaError;
use super::region::Region;
use super::rights::Rights;
use super::status::{Holding, Session};
use super::transfers::{SharedUse, Transfers};
use crate::model::RegisterValue;
use crate::shared::Atomic;
use crate::sys::SharedBytes;

/// A piece of the client's memory that is contiguous in the device's addresses and in this process.
///
/// While it exists, the memory behind it stays mapped: an unmap of its range by the client waits
/// until the segment is dropped (or fails after four seconds). So hold it no longer than the work
/// takes, and drop it when [`Device::dma_unmapped`](crate::Device::dma_unmapped) requests it. It
/// may be sent to other threads and shared between them.
///
/// Offsets are in bytes from its start.
#[derive(Clone)]
pub struct DmaSegment {
    region: Arc<Region>,
    session: Session,
    /// The rights that were requested.
    rights: Rights,
    /// From the start of the region.
    start: u64,
    len: u64,
    /// For memory that is accessed by messages: marks that any thread may have it.
    shared_use: Option<SharedUse>,
    _holding: Holding,
}

impl DmaSegment {
    pub(super) fn new(
        region: &Arc<Region>,
        (session, holding): (Session, &Holding),
        rights: Rights,
        start: u64,
        len: u64,
    ) -> Self {
        DmaSegment {
            region: Arc::clone(region),
            session,
            rights,
            start,
            len,
            shared_use: None,
            _holding: holding.clone(),
        }
    }

    /// Creates a segment of a whole region.
    pub(super) fn whole(region: &Arc<Region>, held: (Session, &Holding)) -> Self {
        // No region has 2^64 bytes, because its size cannot be expressed.
        let len = region.last() - region.first() + 1;
        Self::new(region, held, region.rights(), 0, len).shared()
    }

    /// Returns its region, its session, and its start in the region.
    pub(super) fn place(&self) -> (&Arc<Region>, Session, u64) {
        (&self.region, self.session, self.start)
    }

    /// Returns its first address.
    pub fn iova(&self) -> u64 {
        self.region.first() + self.start
    }

    /// Returns its size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "there are no empty ones")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether it may be read: the client grants the right, and the guard was taken for
    /// reading.
    pub fn is_readable(&self) -> bool {
        self.rights.contains(Rights::READ)
    }

    /// Returns whether it may be written: the client grants the right, and the guard was taken for
    /// writing.
    pub fn is_writable(&self) -> bool {
        self.rights.contains(Rights::WRITE)
    }

    /// Marks it as usable by any thread.
    pub(super) fn shared(mut self) -> Self {
        self.shared_use = self.region.transfers().map(Transfers::shared_use);
        self
    }

    /// Returns whether it is accessed by messages.
    pub(super) fn is_by_messages(&self) -> bool {
        self.region.transfers().is_some()
    }

    /// Returns its address in this process, if it is mapped.
    ///
    /// Use it for system calls and for hardware. The guest may change the memory at any time, so no
    /// Rust reference may point to it, and writes through it must be reported by
    /// [`mark_dirty`](Self::mark_dirty). The address is valid as long as the segment lives.
    pub fn address(&self) -> Option<NonNull<u8>> {
        self.region.note_direct();
        let (mapping, start) = self.region.mapping()?;
        let offset = start + usize::try_from(self.start).ok()?;
        NonNull::new(mapping.address(offset, usize::try_from(self.len).ok()?))
    }

    /// Returns the client's file behind it, and its start in that file.
    pub fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.region.note_direct();
        self.region.file().map(|(file, offset)| (file.as_fd(), offset + self.start))
    }

    /// Reads `data.len()` bytes. A read of no bytes succeeds, as do other accesses of none.
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), DmaError> {
        if data.is_empty() {
            return self.check_inside(offset, 0);
        }
        let at = self.check_access(offset, data.len(), Rights::READ)?;
        self.region.read(self.session, at, data)
    }

    /// Reads all of it without waiting for the client, and then calls `then`.
    ///
    /// # Errors
    ///
    /// The reason why the read did not start.
    pub(super) fn fetch(
        &self,
        then: impl FnOnce(Result<Vec<u8>, DmaError>) + Send + 'static,
    ) -> Result<(), DmaError> {
        // It is part of a range that may be fetched, which is small.
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        if let Some(transfers) = self.region.transfers() {
            self.note_read();
            return transfers.fetch(&self.region, self.session, self.start, len, then);
        }
        let mut data = vec![0; len];
        self.region.read(self.session, self.start, &mut data)?;
        then(Ok(data));
        Ok(())
    }

    /// Writes `data`.
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        if data.is_empty() {
            return self.check_inside(offset, 0);
        }
        let at = self.check_access(offset, data.len(), Rights::WRITE)?;
        self.region.write(self.session, at, data)
    }

    /// Marks `len` bytes at `offset` as written by other means; bytes outside are ignored. See
    /// [`Dma::mark_dirty`](super::Dma::mark_dirty).
    pub fn mark_dirty(&self, offset: u64, len: u64) {
        let len = len.min(self.len.saturating_sub(offset));
        if len > 0 {
            self.region.mark_dirty(self.start + offset, len);
        }
    }

    /// Loads a word, as [`Dma::load`](super::Dma::load).
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, DmaError> {
        let at = self.check_access(offset, usize::from(T::WIDTH), Rights::READ)?;
        self.region.load(at)
    }

    /// Stores a word, as [`Dma::store`](super::Dma::store).
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), DmaError> {
        let at = self.check_access(offset, usize::from(T::WIDTH), Rights::WRITE)?;
        self.region.store(at, value)
    }

    /// Operates on a word, as [`Dma::atomic`](super::Dma::atomic).
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn atomic<A: Atomic, R>(
        &self,
        offset: u64,
        operation: impl FnMut(&A) -> R,
    ) -> Result<R, DmaError> {
        let at = self.check_access(offset, size_of::<A>(), Rights::all())?;
        self.region.atomic(at, operation)
    }

    /// Writes `data`, its last word by itself and with release ordering.
    pub(super) fn publish(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        if data.is_empty() {
            return self.check_inside(offset, 0);
        }
        let at = self.check_access(offset, data.len(), Rights::WRITE)?;
        self.region.publish(self.session, at, data)
    }

    /// Checks an access to all of it, and returns its bytes, which must be mapped.
    pub(super) fn mapped_bytes(&self, wanted: Rights) -> Result<SharedBytes<'_>, DmaError> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        let at = self.check_access(0, len, wanted)?;
        self.region.mapped_bytes(at, len)
    }

    /// Counts a read of all of it by other means.
    pub(super) fn note_read(&self) {
        self.region.status().note_read(self.len);
    }

    /// Returns the error for memory whose file was truncated.
    pub(super) fn lost(&self) -> DmaError {
        DmaError::Lost { iova: self.iova() }
    }

    /// Returns whether it is in a mapping.
    pub(super) fn is_mapped(&self) -> bool {
        self.region.is_mapped() && self.region.tap().is_none()
    }

    fn check_inside(&self, offset: u64, len: usize) -> Result<(), DmaError> {
        let inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
        if inside { Ok(()) } else { Err(DmaError::Outside { offset, len, held: self.len }) }
    }

    /// Checks an access, and returns its start in the region.
    fn check_access(&self, offset: u64, len: usize, wanted: Rights) -> Result<u64, DmaError> {
        self.check_inside(offset, len)?;
        let at = self.start + offset;
        self.region.status().check(self.session, self.region.first() + at)?;
        self.rights.check(wanted, self.region.first() + at)?;
        Ok(at)
    }
}

impl fmt::Debug for DmaSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmaSegment")
            .field("iova", &format_args!("{:#x}", self.iova()))
            .field("len", &format_args!("{:#x}", self.len))
            .finish_non_exhaustive()
    }
}
