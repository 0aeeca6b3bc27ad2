//! One region of the client's memory.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::DmaError;
use super::file::{Accepted, AccessMode, ClientFile, Files, Identity, Incoming};
use super::log::PageLog;
use super::rights::Rights;
use super::status::{Session, Status};
use super::transfers::{MessageRegion, Transfers};
use super::unmap::RegionToken;
use crate::fds::PeerFd;
use crate::model::RegisterValue;
use crate::protocol::Errno;
use crate::shared::Atomic;
use crate::sys::{Lost, Mapping, SharedBytes};

/// The identity of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    /// May be 2^64 - 1.
    pub(super) last: u64,
    rights: Rights,
    identity: Option<Identity>,
}

/// What a region is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) rights: Rights,
    /// `mapped`, `file` or `messages`.
    pub(crate) by: &'static str,
}

/// A region that a client requests to add.
pub(crate) struct NewRegion {
    span: Span,
    /// The file and how to access it; without it, messages reach the bytes.
    file: Option<(Incoming, AccessMode)>,
}

impl NewRegion {
    /// Creates a region without descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL if it is empty or wraps around the address space.
    pub(crate) fn messages(iova: u64, size: u64, rights: Rights) -> Result<Self, Errno> {
        let last = last_address(iova, size)?;
        Ok(NewRegion { span: Span { first: iova, last, rights, identity: None }, file: None })
    }

    /// Creates a region of `file` from `offset` on, which need not be aligned.
    ///
    /// # Errors
    ///
    /// EINVAL if it is empty, wraps around the address space or ends beyond the file; EPERM if such
    /// files are not accepted.
    pub(crate) fn file(
        iova: u64,
        size: u64,
        rights: Rights,
        file: PeerFd,
        offset: u64,
        access: AccessMode,
        accepted: Accepted,
    ) -> Result<Self, Errno> {
        let last = last_address(iova, size)?;
        let file = Incoming::new(file, offset, size, accepted)?;
        let identity = Some(file.identity());
        let span = Span { first: iova, last, rights, identity };
        Ok(NewRegion { span, file: Some((file, access)) })
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// # Errors
    ///
    /// Those of [`Files::open`].
    pub(super) fn open(
        self,
        files: &mut Files,
        status: &Arc<Status>,
        transfers: &Arc<Transfers>,
    ) -> Result<Region, Errno> {
        let NewRegion { span, file } = self;
        let backing = match file {
            None => {
                transfers.prepare()?;
                Backing::Messages(Arc::clone(transfers))
            }
            Some((incoming, access)) => {
                let Identity { offset, .. } = incoming.identity();
                let file = files.open(incoming, span.rights, access)?;
                match file.offset_in_mapping(offset) {
                    Some(start) => Backing::Mapped { file, start },
                    None => Backing::File { file, start: offset },
                }
            }
        };
        let log = Arc::new(PageLog::new(span.first, span.last, status.granules()));
        let status = Arc::clone(status);
        Ok(Region { span, backing, status, log, token: RegionToken::new() })
    }
}

/// How the bytes of a region are accessed.
#[derive(Clone, Debug)]
enum Backing {
    /// In a mapping of the client's file, `start` bytes from its start.
    Mapped { file: Arc<ClientFile>, start: usize },
    /// By reads and writes of the client's file, `start` bytes from its start.
    File { file: Arc<ClientFile>, start: u64 },
    /// By messages to the client.
    Messages(Arc<Transfers>),
}

/// A range of addresses with one backing.
#[derive(Debug)]
pub(super) struct Region {
    span: Span,
    backing: Backing,
    /// The status of the device.
    status: Arc<Status>,
    log: Arc<PageLog>,
    // The last field, so that everything else is dropped when a waiter sees the end of the region.
    token: RegionToken,
}

impl MessageRegion for Region {
    fn first(&self) -> u64 {
        self.first()
    }

    fn is_being_unmapped(&self) -> bool {
        self.token.is_assigned()
    }
}

impl Region {
    /// Returns a region of the same memory that nothing holds yet.
    pub(super) fn renewed(&self) -> Region {
        Region {
            span: self.span,
            backing: self.backing.clone(),
            status: Arc::clone(&self.status),
            log: Arc::clone(&self.log),
            token: RegionToken::new(),
        }
    }

    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.span.first
    }

    #[inline]
    pub(super) fn last(&self) -> u64 {
        self.span.last
    }

    #[inline]
    pub(super) fn contains(&self, iova: u64) -> bool {
        self.span.first <= iova && iova <= self.span.last
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn outline(&self) -> Outline {
        let Span { first, last, rights, .. } = self.span;
        let by = match self.backing {
            Backing::Mapped { .. } => "mapped",
            Backing::File { .. } => "file",
            Backing::Messages(_) => "messages",
        };
        Outline { first, last, rights, by }
    }

    pub(super) fn log(&self) -> &Arc<PageLog> {
        &self.log
    }

    pub(super) fn token(&self) -> &RegionToken {
        &self.token
    }

    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    #[inline]
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self.backing, Backing::Mapped { .. })
    }

    #[inline]
    pub(super) fn rights(&self) -> Rights {
        self.span.rights
    }

    /// Returns the mapping, and the start of the region in it.
    pub(super) fn mapping(&self) -> Option<(&Mapping, usize)> {
        match &self.backing {
            Backing::Mapped { file, start } => file.mapping().map(|mapping| (mapping, *start)),
            _ => None,
        }
    }

    /// Returns the file, and the start of the region in it.
    pub(super) fn file(&self) -> Option<(&ClientFile, u64)> {
        match &self.backing {
            Backing::Mapped { file, .. } | Backing::File { file, .. } => {
                self.span.identity.map(|identity| (&**file, identity.offset))
            }
            Backing::Messages(_) => None,
        }
    }

    /// Checks that the device has these rights at `offset`.
    #[inline]
    pub(super) fn check(&self, offset: u64, wanted: Rights) -> Result<(), DmaError> {
        self.span.rights.check(wanted, self.span.first + offset)
    }

    /// Returns the transfers, if messages reach the region.
    #[inline]
    pub(super) fn transfers(&self) -> Option<&Transfers> {
        match &self.backing {
            Backing::Messages(transfers) => Some(transfers),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn read(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), DmaError> {
        self.status.note_read(data.len() as u64);
        match &self.backing {
            Backing::Mapped { file, start } => {
                let done = file.mapping().map(|mapping| mapping.read(at(*start, offset), data));
                done.unwrap_or(Err(Lost)).map_err(|Lost| self.lost())
            }
            Backing::File { file, start } => file
                .file()
                .read_exact_at(data, start + offset)
                .map_err(|source| self.io(offset, source)),
            Backing::Messages(transfers) => transfers.read(self, session, offset, data),
        }
    }

    #[inline]
    pub(super) fn write(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let written = self.write_unmarked(session, offset, data);
        // A failed write may have written a part.
        self.mark_dirty(offset, data.len() as u64);
        written
    }

    #[inline]
    fn write_unmarked(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        match &self.backing {
            Backing::Mapped { file, start } => {
                let done = file.mapping().map(|mapping| mapping.write(at(*start, offset), data));
                done.unwrap_or(Err(Lost)).map_err(|Lost| self.lost())
            }
            Backing::File { file, start } => file
                .file()
                .write_all_at(data, start + offset)
                .map_err(|source| self.io(offset, source)),
            Backing::Messages(transfers) => transfers.write(self, session, offset, data),
        }
    }

    /// Marks bytes from `offset` on, all inside, as written if writes are logged.
    #[inline]
    pub(super) fn mark_dirty(&self, offset: u64, len: u64) {
        if self.status.notes_writes() {
            self.note_write(offset, len);
        }
    }

    #[inline(never)]
    fn note_write(&self, offset: u64, len: u64) {
        self.status.note_write(len);
        if self.status.is_logging() {
            self.log_write(offset, len);
        }
    }

    fn log_write(&self, offset: u64, len: u64) {
        // The client logs the writes that it does by messages.
        if len > 0 && self.file().is_some() {
            let first = self.first() + offset;
            self.log.mark(first, first + (len - 1));
        }
    }

    /// Loads a little-endian word in one access, with acquire ordering.
    pub(super) fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, DmaError> {
        let width = usize::from(T::WIDTH);
        let (mapping, at) = self.check_word(offset, width)?;
        let mut bytes = [0; 8];
        mapping.read(at, &mut bytes[..width]).map_err(|Lost| self.lost())?;
        self.status.note_read(width as u64);
        fence(Ordering::Acquire);
        Ok(T::from_bits(u64::from_le_bytes(bytes)))
    }

    /// Stores a word, as `load`, with release ordering.
    pub(super) fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), DmaError> {
        let width = usize::from(T::WIDTH);
        let (mapping, at) = self.check_word(offset, width)?;
        fence(Ordering::Release);
        let stored = mapping.write(at, &value.to_bits().to_le_bytes()[..width]);
        self.mark_dirty(offset, width as u64);
        stored.map_err(|Lost| self.lost())
    }

    /// Writes `data`, its last word by itself and with release ordering: the largest word that is
    /// aligned.
    pub(super) fn publish(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let width = self.last_word(offset, data.len());
        let (head, word) = data.split_at(data.len() - width);
        self.write(session, offset, head)?;
        fence(Ordering::Release);
        self.write(session, offset + head.len() as u64, word)
    }

    /// Returns the size of the largest aligned word at the end of a range.
    fn last_word(&self, offset: u64, len: usize) -> usize {
        let end = match self.mapping() {
            Some((mapping, start)) => mapping.address(at(start, offset), len).addr() + len,
            None => at(0, self.first().wrapping_add(offset)).wrapping_add(len),
        };
        let fits = |width: &usize| *width <= len && end.is_multiple_of(*width);
        [8, 4, 2, 1].into_iter().find(fits).unwrap_or(0)
    }

    /// Returns bytes from `offset` on, all inside, which must be mapped.
    pub(super) fn mapped_bytes(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<SharedBytes<'_>, DmaError> {
        self.place(offset).map(|(mapping, at)| mapping.bytes(at, len))
    }

    pub(super) fn atomic<A: Atomic, R>(
        &self,
        offset: u64,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, DmaError> {
        let (mapping, at) = self.check_word(offset, size_of::<A>())?;
        let result = mapping.atomic(at, operation);
        self.status.note_read(size_of::<A>() as u64);
        self.mark_dirty(offset, size_of::<A>() as u64);
        result.map_err(|Lost| self.lost())
    }

    /// Returns the position of a word that can be accessed in one piece.
    #[inline]
    fn check_word(&self, offset: u64, width: usize) -> Result<(&Mapping, usize), DmaError> {
        let (mapping, at) = self.place(offset)?;
        let aligned = mapping.address(at, width).addr().is_multiple_of(width);
        if aligned {
            Ok((mapping, at))
        } else {
            Err(DmaError::Misaligned { iova: self.first() + offset })
        }
    }

    /// Returns the position of a byte in a mapping.
    #[inline]
    pub(super) fn place(&self, offset: u64) -> Result<(&Mapping, usize), DmaError> {
        let iova = self.first() + offset;
        let (mapping, start) = self.mapping().ok_or(DmaError::NotMapped { iova })?;
        if mapping.is_lost() { Err(self.lost()) } else { Ok((mapping, at(start, offset))) }
    }

    fn lost(&self) -> DmaError {
        DmaError::Lost { iova: self.first() }
    }

    fn io(&self, offset: u64, source: io::Error) -> DmaError {
        DmaError::Io { iova: self.first() + offset, source }
    }
}

/// Converts an offset. A mapped region fits in the address space, so an offset that does not fit is
/// outside.
#[inline]
fn at(start: usize, offset: u64) -> usize {
    usize::try_from(offset).map_or(usize::MAX, |offset| start.saturating_add(offset))
}

/// Returns the last address of a range; a range may end exactly at 2^64.
pub(crate) fn last_address(first: u64, size: u64) -> Result<u64, Errno> {
    size.checked_sub(1).and_then(|rest| first.checked_add(rest)).ok_or(Errno::EINVAL)
}
