//! Guards that hold memory.

use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use super::DmaError;
use super::region::Region;
use super::rights::Rights;
use super::status::{Holding, Session};
use super::transfers::{SharedUse, Transfers};
use crate::model::RegisterValue;
use crate::serving::is_serving;
use crate::shared::Atomic;

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
    fn shared(mut self) -> Self {
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
        let (mapping, start) = self.region.mapping()?;
        let offset = start + usize::try_from(self.start).ok()?;
        NonNull::new(mapping.address(offset, usize::try_from(self.len).ok()?))
    }

    /// Returns the client's file behind it, and its start in that file.
    pub fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.region.file().map(|(file, offset)| (file.as_fd(), offset + self.start))
    }

    /// Reads `data.len()` bytes.
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), DmaError> {
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
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, DmaError> {
        let at = self.check_access(offset, size_of::<A>(), Rights::all())?;
        self.region.atomic(at, operation)
    }

    /// Checks an access, and returns its start in the region.
    fn check_access(&self, offset: u64, len: usize, wanted: Rights) -> Result<u64, DmaError> {
        let inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
        if !inside {
            return Err(DmaError::Outside { offset, len, held: self.len });
        }
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

/// A range of the client's memory that is held: consecutive [`DmaSegment`]s.
///
/// It may be read, written or both, depending on how it was taken:
/// [`Dma::map_readable`](super::Dma::map_readable),
/// [`Dma::map_writable`](super::Dma::map_writable), [`Dma::map`](super::Dma::map). Those methods
/// check the client's rights for all of the range. So a command should take all its guards before
/// it has an effect that the guest can see. After that it fails only because its session ends, the
/// guest clears bus master, or the client truncates its file.
///
/// ```
/// # use vfio_user::{Dma, DmaError};
/// fn sum(dma: &Dma, iova: u64, len: usize) -> Result<u64, DmaError> {
///     let held = dma.map_readable(iova, len)?;
///     let mut sum = 0;
///     for segment in &*held {
///         let mut bytes = vec![0; segment.len() as usize];
///         segment.read(0, &mut bytes)?;
///         sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
///     }
///     Ok(sum)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DmaGuard {
    segments: Box<[DmaSegment]>,
}

impl DmaGuard {
    pub(super) fn new(segments: Box<[DmaSegment]>) -> Self {
        DmaGuard { segments }
    }

    /// Marks it as usable by any thread.
    pub(super) fn shared(self) -> Self {
        DmaGuard { segments: self.segments.into_iter().map(DmaSegment::shared).collect() }
    }

    /// # Errors
    ///
    /// [`DmaError::MessageMode`] if it cannot be read without waiting for the client.
    pub(super) fn expect_readable_now(&self) -> Result<(), DmaError> {
        if !is_serving() {
            return Ok(());
        }
        match self.iter().find(|segment| segment.is_by_messages()) {
            Some(segment) => Err(DmaError::MessageMode { iova: segment.iova() }),
            None => Ok(()),
        }
    }

    /// Reads `data.len()` bytes at `offset` from the start of the range.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; a part may have been read then.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let mut rest = data;
        for (segment, offset, len) in self.pieces(offset, rest.len())? {
            let (head, tail) = rest.split_at_mut(len);
            segment.read(offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    /// Writes `data` at `offset` from the start of the range.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; a part may have been written then.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        let mut rest = data;
        for (segment, offset, len) in self.pieces(offset, rest.len())? {
            let (head, tail) = rest.split_at(len);
            segment.write(offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    /// Returns the parts of an access: segment, offset in it, length.
    fn pieces(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<impl Iterator<Item = (&DmaSegment, u64, usize)>, DmaError> {
        let held = self.iter().map(DmaSegment::len).sum();
        if offset.checked_add(len as u64).is_none_or(|end| end > held) {
            return Err(DmaError::Outside { offset, len, held });
        }
        let (mut skip, mut rest) = (offset, len);
        Ok(self.iter().filter_map(move |segment| {
            let start = skip.min(segment.len);
            skip -= start;
            let here = usize::try_from(segment.len - start).map_or(rest, |here| rest.min(here));
            rest -= here;
            (here > 0).then_some((segment, start, here))
        }))
    }
}

impl Deref for DmaGuard {
    type Target = [DmaSegment];

    fn deref(&self) -> &[DmaSegment] {
        &self.segments
    }
}

impl IntoIterator for DmaGuard {
    type Item = DmaSegment;
    type IntoIter = std::vec::IntoIter<DmaSegment>;

    fn into_iter(self) -> Self::IntoIter {
        self.segments.into_iter()
    }
}
