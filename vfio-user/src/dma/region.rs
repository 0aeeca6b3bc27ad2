//! One region of the client's memory.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::DmaError;
use super::backing::{Backing, Tapped};
use super::file::{AccessMode, ClientFile, Files};
use super::incoming_file::{Accepted, Identity, Incoming};
use super::log::PageLog;
use super::rights::Rights;
use super::status::{Session, Status};
use super::transfers::{MessageRegion, Transfers};
use super::unmap::RegionToken;
use crate::fds::PeerFd;
use crate::protocol::Errno;
use crate::sys::{Lost, Mapping, SharedBytes};
use crate::tape::RegionKind;

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
    source: Source,
}

/// What a region that is requested is of.
enum Source {
    /// Messages reach the bytes.
    Messages,
    /// A file, and how to access it.
    File(Box<Incoming>, AccessMode),
    /// A recording, of memory that was mapped or not.
    Recording { is_mapped: bool },
}

impl NewRegion {
    /// Creates a region without descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL if it is empty or wraps around the address space.
    pub(crate) fn messages(iova: u64, size: u64, rights: Rights) -> Result<Self, Errno> {
        let last = last_address(iova, size)?;
        Ok(NewRegion {
            span: Span { first: iova, last, rights, identity: None },
            source: Source::Messages,
        })
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
        Ok(NewRegion { span, source: Source::File(Box::new(file), access) })
    }

    /// Makes a recording answer accesses.
    pub(super) fn answered_by_recording(self, is_mapped: bool) -> Self {
        NewRegion { source: Source::Recording { is_mapped }, ..self }
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
        let NewRegion { span, source } = self;
        let backing = match source {
            Source::Recording { is_mapped } => Backing::Replayed { is_mapped },
            Source::Messages => {
                transfers.prepare()?;
                Backing::Messages(Arc::clone(transfers))
            }
            Source::File(incoming, access) => {
                let Identity { offset, .. } = incoming.identity();
                let file = files.open(*incoming, span.rights, access)?;
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
        let by = match self.backing.kind() {
            RegionKind::Mapped => "mapped",
            RegionKind::File => "file",
            RegionKind::Messages => "messages",
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
        self.backing.is_mapped()
    }

    #[inline]
    pub(super) fn rights(&self) -> Rights {
        self.span.rights
    }

    /// Returns the mapping, and the start of the region in it.
    pub(super) fn mapping(&self) -> Option<(&Mapping, usize)> {
        self.backing.mapping()
    }

    /// Returns the file, and the start of the region in it.
    pub(super) fn file(&self) -> Option<(&ClientFile, u64)> {
        let identity = self.span.identity?;
        self.backing.file().map(|file| (file, identity.offset))
    }

    /// Checks that the device has these rights at `offset`.
    #[inline]
    pub(super) fn check(&self, offset: u64, wanted: Rights) -> Result<(), DmaError> {
        self.span.rights.check(wanted, self.span.first + offset)
    }

    pub(super) fn backing(&self) -> &Backing {
        &self.backing
    }

    pub(super) fn set_backing(&mut self, backing: Backing) {
        self.backing = backing;
    }

    /// Returns what records or replays the accesses.
    #[inline]
    pub(super) fn tap(&self) -> Option<&Tapped> {
        match &self.backing {
            Backing::Tapped(tapped) => Some(tapped),
            _ => None,
        }
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
        self.read_from(&self.backing, session, offset, data)
    }

    #[inline]
    fn read_from(
        self: &Arc<Self>,
        backing: &Backing,
        session: Session,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), DmaError> {
        match backing {
            Backing::Mapped { file, start } => {
                let done = file.mapping().map(|mapping| mapping.read(at(*start, offset), data));
                done.unwrap_or(Err(Lost)).map_err(|Lost| self.lost())
            }
            Backing::File { file, start } => file
                .file()
                .read_exact_at(data, start + offset)
                .map_err(|source| self.io(offset, source)),
            Backing::Messages(transfers) => transfers.read(self, session, offset, data),
            Backing::Tapped(tapped) => tapped.read(self.first() + offset, data, |data| {
                self.read_from(&tapped.inner, session, offset, data)
            }),
            Backing::Replayed { .. } => Err(self.lost()),
        }
    }

    #[inline]
    pub(super) fn write(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let written = self.write_to(&self.backing, session, offset, data);
        // A failed write may have written a part.
        self.mark_dirty(offset, data.len() as u64);
        written
    }

    #[inline]
    fn write_to(
        self: &Arc<Self>,
        backing: &Backing,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        match backing {
            Backing::Mapped { file, start } => {
                let done = file.mapping().map(|mapping| mapping.write(at(*start, offset), data));
                done.unwrap_or(Err(Lost)).map_err(|Lost| self.lost())
            }
            Backing::File { file, start } => file
                .file()
                .write_all_at(data, start + offset)
                .map_err(|source| self.io(offset, source)),
            Backing::Messages(transfers) => transfers.write(self, session, offset, data),
            Backing::Tapped(tapped) => tapped.write(self.first() + offset, data, || {
                self.write_to(&tapped.inner, session, offset, data)
            }),
            Backing::Replayed { .. } => Err(self.lost()),
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

    /// Returns bytes from `offset` on, all inside, which must be mapped.
    pub(super) fn mapped_bytes(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<SharedBytes<'_>, DmaError> {
        self.place(offset).map(|(mapping, at)| mapping.bytes(at, len))
    }

    /// Returns the position of a byte in a mapping.
    #[inline]
    pub(super) fn place(&self, offset: u64) -> Result<(&Mapping, usize), DmaError> {
        let iova = self.first() + offset;
        let (mapping, start) = self.mapping().ok_or(DmaError::NotMapped { iova })?;
        if mapping.is_lost() { Err(self.lost()) } else { Ok((mapping, at(start, offset))) }
    }

    pub(super) fn lost(&self) -> DmaError {
        DmaError::Lost { iova: self.first() }
    }

    fn io(&self, offset: u64, source: io::Error) -> DmaError {
        DmaError::Io { iova: self.first() + offset, source }
    }
}

/// Converts an offset. A mapped region fits in the address space, so an offset that does not fit is
/// outside.
#[inline]
pub(super) fn at(start: usize, offset: u64) -> usize {
    usize::try_from(offset).map_or(usize::MAX, |offset| start.saturating_add(offset))
}

/// Returns the last address of a range; a range may end exactly at 2^64.
pub(crate) fn last_address(first: u64, size: u64) -> Result<u64, Errno> {
    size.checked_sub(1).and_then(|rest| first.checked_add(rest)).ok_or(Errno::EINVAL)
}
