//! The client's files: one descriptor and one mapping each, however many regions they are cut into.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};

use super::address_space::{Budget, Descriptor};
use super::incoming_file::{FileId, Incoming, Mapped};
use super::leftovers;
use super::rights::Rights;
use crate::fds::PeerFd;
use crate::protocol::Errno;
use crate::sys::Mapping;

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

    /// Returns another descriptor of the file.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(super) fn try_clone(&self) -> io::Result<PeerFd> {
        self.file.try_clone()
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

impl Drop for ClientFile {
    fn drop(&mut self) {
        if let Some(mapped) = self.mapped.take() {
            leftovers::leave(mapped);
        }
    }
}

impl AsFd for ClientFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
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
        let file = self.open.get(&(incoming.identity().file, usage))?.upgrade()?;
        file.serves(&incoming.range).then_some(file)
    }

    fn remember(
        &mut self,
        usage: FileUse,
        incoming: Incoming,
        mapped: Option<Mapped>,
    ) -> Result<Arc<ClientFile>, Errno> {
        let id = incoming.identity().file;
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
    use nix::sys::stat::fstat;
    use nix::unistd::ftruncate;

    use super::*;
    use crate::dma::{Accepted, Dma, NewRegion};
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
