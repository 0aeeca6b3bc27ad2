//! The client's files: one descriptor and one mapping each, however many regions they are cut into.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{FileStat, SFlag, fstat};

use super::region::Rights;
use crate::protocol::Errno;
use crate::sys::{Mapping, page_size};

/// How the server is to reach the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Through a mapping if there can be one, otherwise by file I/O.
    Any,
    /// Through a mapping.
    Mapping,
    /// By `pread(2)` and `pwrite(2)`.
    FileIo,
}

/// Which bytes of which file: tells a repeated map from an overlapping one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    pub(super) offset: u64,
}

/// A descriptor that came with a map, and what it is.
pub(super) struct Incoming {
    file: OwnedFd,
    stat: FileStat,
    range: Range<u64>,
}

impl Incoming {
    /// Refuses a file that ends before the region does.
    ///
    /// # Errors
    ///
    /// EINVAL then.
    pub(super) fn new(file: OwnedFd, offset: u64, size: u64) -> Result<Self, Errno> {
        let stat = fstat(&file)?;
        let end = offset.checked_add(size).ok_or(Errno::EINVAL)?;
        let regular = kind(&stat) == SFlag::S_IFREG;
        if regular && u64::try_from(stat.st_size).is_ok_and(|len| end > len) {
            return Err(Errno::EINVAL);
        }
        Ok(Incoming { file, stat, range: offset..end })
    }

    pub(super) fn identity(&self) -> Identity {
        let FileStat { st_dev: device, st_ino: inode, .. } = self.stat;
        Identity { device, inode, offset: self.range.start }
    }

    /// Maps all of a regular file, to be shared by other regions, or else just what is asked for.
    fn map(&self, writable: bool) -> Result<(Mapping, u64), Errno> {
        let page = page_size(&self.stat);
        let map = |offset: u64, len: u64| {
            let len = usize::try_from(len).map_err(|_| Errno::ENOMEM)?;
            let mapping = Mapping::new(self.file.as_fd(), offset, len, page, writable)?;
            Ok((mapping, offset))
        };
        let part = || map(self.range.start, self.range.end - self.range.start);
        match u64::try_from(self.stat.st_size) {
            Ok(len) if kind(&self.stat) == SFlag::S_IFREG => match map(0, len) {
                Err(Errno::ENOMEM) => part(),
                mapped => mapped,
            },
            _ => part(),
        }
    }

    /// Refuses what cannot be read and written at a position, such as a pipe: better now than at
    /// every access. (`mmap(2)` does so itself.)
    fn has_positions(&self) -> bool {
        matches!(kind(&self.stat), SFlag::S_IFREG | SFlag::S_IFBLK)
    }

    /// Whether the descriptor itself gives these rights.
    ///
    /// # Errors
    ///
    /// EACCES if it does not.
    fn admits(&self, rights: Rights) -> Result<(), Errno> {
        let flags = OFlag::from_bits_retain(fcntl(&self.file, FcntlArg::F_GETFL)?);
        let given = match flags & OFlag::O_ACCMODE {
            _ if flags.contains(OFlag::O_PATH) => Rights::empty(),
            OFlag::O_RDONLY => Rights::READ,
            OFlag::O_WRONLY => Rights::WRITE,
            _ => Rights::all(),
        };
        if given.contains(rights) { Ok(()) } else { Err(Errno::EACCES) }
    }
}

/// A file of the client's, shared by the regions that are parts of it.
#[derive(Debug)]
pub(super) struct ClientFile {
    mapping: Option<Mapping>,
    file: File,
    /// Where in the file the mapping starts.
    base: u64,
}

impl ClientFile {
    pub(super) fn mapping(&self) -> Option<&Mapping> {
        self.mapping.as_ref()
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where in the mapping a byte of the file is, if there is one.
    pub(super) fn offset_in_mapping(&self, position: u64) -> Option<usize> {
        self.mapping.as_ref()?;
        usize::try_from(position - self.base).ok()
    }

    /// Whether another region can use it.
    fn serves(&self, range: &Range<u64>) -> bool {
        self.mapping.as_ref().is_none_or(|mapping| {
            let end = self.base + mapping.len() as u64;
            self.base <= range.start && range.end <= end && !mapping.is_lost()
        })
    }
}

impl AsFd for ClientFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What a file is used for: each way needs a descriptor that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Mapping { writable: bool },
    FileIo(Rights),
}

/// The files in use.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: HashMap<(u64, u64, Way), Weak<ClientFile>>,
    /// How many to remember before looking which of them are closed.
    limit: usize,
}

impl Files {
    /// The file for a region with these rights.
    ///
    /// # Errors
    ///
    /// EACCES if the descriptor does not give them; otherwise what `mmap(2)` says, or ENODEV if the file
    /// has no positions to read from.
    pub(super) fn open(
        &mut self,
        incoming: Incoming,
        rights: Rights,
        access: Access,
    ) -> Result<Arc<ClientFile>, Errno> {
        if access == Access::FileIo {
            return self.open_for_io(incoming, rights);
        }
        let writable = rights.contains(Rights::WRITE);
        let way = Way::Mapping { writable };
        if let Some(file) = self.find(way, &incoming) {
            // A mapping of its own would need as much.
            incoming.admits(if writable { Rights::all() } else { Rights::READ })?;
            return Ok(file);
        }
        match incoming.map(writable) {
            Ok((mapping, base)) => Ok(self.remember(way, incoming, Some(mapping), base)),
            // No room for one more, or a file that cannot be mapped.
            Err(Errno::ENOMEM | Errno::ENODEV) if access == Access::Any => {
                self.open_for_io(incoming, rights)
            }
            Err(errno) => Err(errno),
        }
    }

    fn open_for_io(
        &mut self,
        incoming: Incoming,
        rights: Rights,
    ) -> Result<Arc<ClientFile>, Errno> {
        if !incoming.has_positions() {
            return Err(Errno::ENODEV);
        }
        incoming.admits(rights)?;
        let way = Way::FileIo(rights);
        match self.find(way, &incoming) {
            Some(file) => Ok(file),
            None => Ok(self.remember(way, incoming, None, 0)),
        }
    }

    fn find(&self, way: Way, incoming: &Incoming) -> Option<Arc<ClientFile>> {
        let Identity { device, inode, .. } = incoming.identity();
        let file = self.open.get(&(device, inode, way))?.upgrade()?;
        file.serves(&incoming.range).then_some(file)
    }

    fn remember(
        &mut self,
        way: Way,
        incoming: Incoming,
        mapping: Option<Mapping>,
        base: u64,
    ) -> Arc<ClientFile> {
        let Identity { device, inode, .. } = incoming.identity();
        let file = Arc::new(ClientFile { file: incoming.file.into(), mapping, base });
        if self.open.len() >= self.limit {
            self.open.retain(|_, file| file.strong_count() > 0);
            self.limit = 2 * self.open.len().max(8);
        }
        self.open.insert((device, inode, way), Arc::downgrade(&file));
        file
    }
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}
