//! A file that the client passes with a map: whether it is accepted, and how it is accessed.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::sys::statfs::{FsType, HUGETLBFS_MAGIC, fstatfs};

use super::address_space::{Budget, Share};
use super::rights::Rights;
use crate::fds::PeerFd;
use crate::protocol::Errno;
use crate::sys::{Mapping, page_size};

/// A range of bytes of a file, which distinguishes a repeated map from an overlapping one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) file: FileId,
    pub(super) offset: u64,
}

/// The identity of a descriptor's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FileId {
    Inode {
        device: u64,
        inode: u64,
    },
    /// A file whose inode does not identify its memory: all anonymous files share one inode, and a
    /// device may be opened many times. It equals only itself.
    Own(u64),
}

impl FileId {
    fn own() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        FileId::Own(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Which descriptors a device accepts as memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Files that live in memory and have seals: those of `memfd_create(2)`, tmpfs and hugetlbfs.
    /// The kernel itself serves them, so that no operation on them can hang.
    #[default]
    InMemory,
    /// Any file that can be mapped, or read and written at a position.
    Any,
    /// Any such file, also one that ends before its region.
    OfAnySize,
}

/// The kind of a descriptor's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    /// A memfd or a file of tmpfs.
    Shared,
    HugePages,
    /// A file of a file system on a disk or in another process.
    Regular,
    /// A file of the kernel that has a position but no size, for example in procfs.
    Unsized,
    /// A device, or an anonymous file.
    Other,
}

/// The type of a file system whose files are anonymous (`ANON_INODE_FS_MAGIC`).
const ANONYMOUS: FsType = FsType(0x0904_1934);

impl FileKind {
    /// # Errors
    ///
    /// EPERM if the file is not accepted.
    fn of(file: &PeerFd, accepted: Accepted) -> Result<(Self, FileStat), Errno> {
        // This comes first: any other call may wait for a file system outside of the kernel.
        let is_in_memory = file.is_in_memory();
        if !is_in_memory && accepted == Accepted::InMemory {
            return Err(Errno::EPERM);
        }
        let (stat, system) = (fstat(file)?, fstatfs(file)?.filesystem_type());
        let is_regular = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        let kind = match is_in_memory {
            true if system == HUGETLBFS_MAGIC => FileKind::HugePages,
            true => FileKind::Shared,
            false if !is_regular || system == ANONYMOUS => FileKind::Other,
            false if stat.st_size == 0 => FileKind::Unsized,
            false => FileKind::Regular,
        };
        Ok((kind, stat))
    }

    fn has_size(self) -> bool {
        matches!(self, FileKind::Shared | FileKind::HugePages | FileKind::Regular)
    }
}

/// A descriptor that came with a map, and its kind.
pub(super) struct Incoming {
    pub(super) file: PeerFd,
    kind: FileKind,
    stat: FileStat,
    identity: Identity,
    pub(super) range: Range<u64>,
}

impl Incoming {
    /// Checks that a file is accepted, and if need be that it does not end before the region.
    ///
    /// # Errors
    ///
    /// EPERM if it is not accepted, EINVAL if it ends too early.
    pub(super) fn new(
        file: PeerFd,
        offset: u64,
        size: u64,
        accepted: Accepted,
    ) -> Result<Self, Errno> {
        let (kind, stat) = FileKind::of(&file, accepted)?;
        let is_in_memory = matches!(kind, FileKind::Shared | FileKind::HugePages);
        let file = if is_in_memory { file.in_memory() } else { file };
        let end = offset.checked_add(size).ok_or(Errno::EINVAL)?;
        let is_short = kind.has_size() && u64::try_from(stat.st_size).is_ok_and(|len| end > len);
        if is_short && accepted != Accepted::OfAnySize {
            return Err(Errno::EINVAL);
        }
        // For a file without a size, only reading a byte shows whether it holds something.
        if kind == FileKind::Unsized && file.file().read_exact_at(&mut [0], offset).is_err() {
            return Err(Errno::EINVAL);
        }
        let file_id = match kind {
            FileKind::Unsized | FileKind::Other => FileId::own(),
            _ => FileId::Inode { device: stat.st_dev, inode: stat.st_ino },
        };
        let identity = Identity { file: file_id, offset };
        Ok(Incoming { file, kind, stat, identity, range: offset..end })
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Maps all of a file, to share the mapping with other regions. Maps only the requested range
    /// if it exceeds the file, if there is no room for the whole file, if the file has no size, or
    /// if it has huge pages, which are scarce.
    pub(super) fn map(&self, writable: bool, budget: &Budget) -> Result<Mapped, Errno> {
        let page = page_size(&self.stat);
        let map = |base: u64, len: u64| {
            let share = budget.take(len)?;
            let len = usize::try_from(len).map_err(|_| Errno::ENOMEM)?;
            let mapping = Mapping::new(self.file.as_fd(), base, len, page, writable)?;
            Ok(Mapped { mapping, base, share })
        };
        let part = || map(self.range.start, self.range.end - self.range.start);
        match (self.kind, u64::try_from(self.stat.st_size)) {
            (FileKind::Shared | FileKind::Regular, Ok(len)) if self.range.end <= len => {
                match map(0, len) {
                    Err(Errno::ENOMEM) => part(),
                    mapped => mapped,
                }
            }
            _ => part(),
        }
    }

    /// Checks now, and not at every access, that the file can be read and written at a position.
    /// (`mmap(2)` checks this itself.)
    ///
    /// # Errors
    ///
    /// ENODEV if the file cannot.
    pub(super) fn try_io(&self, rights: Rights) -> Result<(), Errno> {
        let (file, at) = (self.file.file(), self.range.start);
        let mut byte = [0];
        // A file with a size holds something; other files need a read of one byte.
        let tried = &mut byte[..usize::from(!self.kind.has_size())];
        let reads = !rights.contains(Rights::READ)
            || uninterrupted(|| file.read_at(tried, at)).is_ok_and(|read| read == tried.len());
        // This writes nothing, but fails for a file that accepts no writes.
        let writes =
            !rights.contains(Rights::WRITE) || uninterrupted(|| file.write_at(&[], at)).is_ok();
        if reads && writes { Ok(()) } else { Err(Errno::ENODEV) }
    }

    /// Checks that the descriptor itself grants these rights.
    ///
    /// # Errors
    ///
    /// EACCES if it does not.
    pub(super) fn check_rights(&self, rights: Rights) -> Result<(), Errno> {
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

/// A mapping of a file, or of a part of it.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) mapping: Mapping,
    /// The start of the mapping in the file.
    pub(super) base: u64,
    // After the mapping, so that the mapping is gone when the share is returned.
    share: Share,
}

impl Mapped {
    /// Returns the mapping, and what it takes of the budget.
    pub(super) fn into_parts(self) -> (Mapping, Share) {
        (self.mapping, self.share)
    }
}

/// Repeats a call that a signal interrupts.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
