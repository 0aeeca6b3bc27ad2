//! The client's files: one descriptor and one mapping each, however many regions they are cut into.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::sys::statfs::{FsType, HUGETLBFS_MAGIC, fstatfs};

use super::address_space::{Budget, Descriptor, Share};
use super::rights::Rights;
use crate::fds::PeerFd;
use crate::protocol::Errno;
use crate::sys::{Mapping, page_size};

/// How the server accesses the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessMode {
    /// Through a mapping if the file can be mapped, otherwise by file I/O.
    Any,
    /// Through a mapping.
    Mapping,
    /// By `pread(2)` and `pwrite(2)`.
    FileIo,
}

/// A range of bytes of a file, which distinguishes a repeated map from an overlapping one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    file: FileId,
    pub(super) offset: u64,
}

/// The identity of a descriptor's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FileId {
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
    file: PeerFd,
    kind: FileKind,
    stat: FileStat,
    identity: Identity,
    range: Range<u64>,
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
    fn map(&self, writable: bool, budget: &Budget) -> Result<Mapped, Errno> {
        let page = page_size(&self.stat);
        let map = |base: u64, len: u64| {
            let share = budget.take(len)?;
            let len = usize::try_from(len).map_err(|_| Errno::ENOMEM)?;
            let mapping = Mapping::new(self.file.as_fd(), base, len, page, writable)?;
            Ok(Mapped { mapping, base, _share: share })
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
    fn try_io(&self, rights: Rights) -> Result<(), Errno> {
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
    fn check_rights(&self, rights: Rights) -> Result<(), Errno> {
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
struct Mapped {
    mapping: Mapping,
    /// The start of the mapping in the file.
    base: u64,
    // After the mapping, so that the mapping is gone when the share is returned.
    _share: Share,
}

/// A file of the client, shared by the regions that are parts of it.
#[derive(Debug)]
pub(super) struct ClientFile {
    mapped: Option<Mapped>,
    file: PeerFd,
    // After the file, so that the file is closed, or queued for that, when the share is returned.
    _descriptor: Descriptor,
}

impl ClientFile {
    pub(super) fn mapping(&self) -> Option<&Mapping> {
        self.mapped.as_ref().map(|mapped| &mapped.mapping)
    }

    pub(super) fn file(&self) -> &File {
        self.file.file()
    }

    /// Returns the position of a byte of the file in the mapping, if it is mapped.
    pub(super) fn offset_in_mapping(&self, position: u64) -> Option<usize> {
        usize::try_from(position - self.mapped.as_ref()?.base).ok()
    }

    /// Returns whether another region can use the file for a range.
    fn serves(&self, range: &Range<u64>) -> bool {
        self.mapped.as_ref().is_none_or(|Mapped { mapping, base, .. }| {
            let end = base + mapping.len() as u64;
            *base <= range.start && range.end <= end && !mapping.is_lost()
        })
    }
}

impl AsFd for ClientFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
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

/// The use of a file: each use needs a descriptor that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FileUse {
    Mapping { writable: bool },
    FileIo(Rights),
}

/// The files in use.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: HashMap<(FileId, FileUse), Weak<ClientFile>>,
    budget: Budget,
    /// The number of entries at which to remove those of closed files.
    limit: usize,
}

impl Files {
    /// Sets how many bytes may be mapped.
    pub(super) fn limit(&mut self, mapped_bytes: u64) {
        self.budget.limit(mapped_bytes);
    }

    /// Returns the file for a region with these rights.
    ///
    /// # Errors
    ///
    /// EACCES if the descriptor does not grant them, EMFILE if the device keeps too many; otherwise
    /// the error of `mmap(2)`, or ENODEV if the file cannot be read at a position.
    pub(super) fn open(
        &mut self,
        incoming: Incoming,
        rights: Rights,
        access: AccessMode,
    ) -> Result<Arc<ClientFile>, Errno> {
        if access == AccessMode::FileIo {
            return self.open_for_io(incoming, rights);
        }
        let writable = rights.contains(Rights::WRITE);
        let usage = FileUse::Mapping { writable };
        if let Some(file) = self.find(usage, &incoming) {
            // A mapping of its own would need the same rights.
            incoming.check_rights(if writable { Rights::all() } else { Rights::READ })?;
            return Ok(file);
        }
        match incoming.map(writable, &self.budget) {
            Ok(mapped) => self.remember(usage, incoming, Some(mapped)),
            // There is no room for another mapping, or the file cannot be mapped.
            Err(errno @ (Errno::ENOMEM | Errno::ENODEV)) if access == AccessMode::Any => {
                self.open_for_io(incoming, rights).map_err(|io| match io {
                    Errno::ENODEV => errno,
                    io => io,
                })
            }
            Err(errno) => Err(errno),
        }
    }

    fn open_for_io(
        &mut self,
        incoming: Incoming,
        rights: Rights,
    ) -> Result<Arc<ClientFile>, Errno> {
        incoming.check_rights(rights)?;
        incoming.try_io(rights)?;
        let usage = FileUse::FileIo(rights);
        match self.find(usage, &incoming) {
            Some(file) => Ok(file),
            None => self.remember(usage, incoming, None),
        }
    }

    fn find(&self, usage: FileUse, incoming: &Incoming) -> Option<Arc<ClientFile>> {
        let file = self.open.get(&(incoming.identity.file, usage))?.upgrade()?;
        file.serves(&incoming.range).then_some(file)
    }

    fn remember(
        &mut self,
        usage: FileUse,
        incoming: Incoming,
        mapped: Option<Mapped>,
    ) -> Result<Arc<ClientFile>, Errno> {
        let id = incoming.identity.file;
        let descriptor = self.budget.take_descriptor()?;
        let file = Arc::new(ClientFile { mapped, file: incoming.file, _descriptor: descriptor });
        if self.open.len() >= self.limit {
            self.open.retain(|_, file| file.strong_count() > 0);
            self.limit = 2 * self.open.len().max(8);
        }
        self.open.insert((id, usage), Arc::downgrade(&file));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::ftruncate;

    use super::*;
    use crate::dma::{Dma, NewRegion};
    use crate::sys::perf::counter;

    const PAGE: u64 = 0x1000;

    fn add(dma: &Dma, iova: u64, fd: &OwnedFd) -> Result<bool, Errno> {
        let fd = fd.try_clone().unwrap().into();
        dma.add(NewRegion::file(iova, PAGE, Rights::all(), fd, 0, AccessMode::Any, Accepted::Any)?)
    }

    /// All of them have one inode.
    #[test]
    fn anonymous_files_are_not_taken_for_each_other() {
        /// A word in the page of a counter that no other code writes.
        const TAIL: u64 = 0x408;
        let (Some(first), Some(second)) = (counter(), counter()) else {
            eprintln!("SKIPPED: the system has no performance counters");
            return;
        };
        let inode = |fd: &OwnedFd| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
        assert_eq!(inode(&first), inode(&second));
        let dma = Dma::default();
        assert_eq!(add(&dma, 0, &first), Ok(true));
        assert_eq!(add(&dma, PAGE, &second), Ok(true));
        dma.write_obj(TAIL, &1_u64).unwrap();
        dma.write_obj(PAGE + TAIL, &2_u64).unwrap();
        assert_eq!(dma.read_obj::<u64>(TAIL).unwrap(), 1);
        assert_eq!(dma.read_obj::<u64>(PAGE + TAIL).unwrap(), 2);
        assert_eq!(add(&dma, 0, &second), Err(Errno::EEXIST), "it is no duplicate");
        assert_eq!(add(&dma, 0, &first), Err(Errno::EEXIST), "nor can that be seen");
    }

    #[test]
    fn a_file_that_ends_before_its_region_is_memory_if_that_is_asked_for() {
        let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&file, PAGE.cast_signed()).unwrap();
        let region = |access, accepted| {
            let file = file.try_clone().unwrap().into();
            NewRegion::file(0, 2 * PAGE, Rights::all(), file, 0, access, accepted)
        };
        let refused = region(AccessMode::Any, Accepted::Any);
        assert_eq!(refused.err(), Some(Errno::EINVAL));
        for access in [AccessMode::Mapping, AccessMode::FileIo] {
            let dma = Dma::default();
            dma.add(region(access, Accepted::OfAnySize).unwrap()).unwrap();
            dma.write_obj(PAGE - 4, &7_u32).unwrap();
            assert_eq!(dma.read_obj::<u32>(PAGE - 4).unwrap(), 7);
            assert!(dma.read_obj::<u32>(PAGE).is_err(), "{access:?}");
        }
    }

    #[test]
    fn they_are_not_memory_unless_that_is_asked_for() {
        let Some(fd) = counter() else {
            eprintln!("SKIPPED: the system has no performance counters");
            return;
        };
        let (rights, fd) = (Rights::all(), fd.into());
        let refused = NewRegion::file(0, PAGE, rights, fd, 0, AccessMode::Any, Accepted::default());
        assert_eq!(refused.err(), Some(Errno::EPERM));
    }
}
