//! One region of the client's memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use bitflags::bitflags;
use nix::sys::stat::{FileStat, SFlag, fstat};

use super::DmaError;
use crate::protocol::Errno;
use crate::sys::{Lost, Mapping};

bitflags! {
    /// What the device may do with a region.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Rights: u8 {
        const READ = 1;
        const WRITE = 2;
    }
}

/// How the bytes of a region are reached.
#[derive(Debug)]
pub(crate) enum Backing {
    /// In a mapping of the client's file.
    Mapped(Mapping),
    /// By reads and writes of the client's file.
    File(File),
    /// By messages to the client.
    Messages,
}

/// Which bytes of which file: tells a repeated map from an overlapping one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    offset: u64,
}

/// A range of addresses with one backing.
#[derive(Debug)]
pub(crate) struct Region {
    first: u64,
    last: u64,
    rights: Rights,
    backing: Backing,
    identity: Option<Identity>,
}

impl Region {
    /// A region without descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL if it is empty or wraps around the address space.
    pub(crate) fn messages(iova: u64, size: u64, rights: Rights) -> Result<Self, Errno> {
        let last = last_address(iova, size)?;
        Ok(Region { first: iova, last, rights, backing: Backing::Messages, identity: None })
    }

    /// A region of `file` from `offset` on, mapped unless `by_file_io`.
    ///
    /// # Errors
    ///
    /// EINVAL if it is empty, wraps around the address space or ends behind the file; ENODEV if the
    /// file has no positions to read from; otherwise what `mmap(2)` says.
    pub(crate) fn file(
        iova: u64,
        size: u64,
        rights: Rights,
        file: OwnedFd,
        offset: u64,
        by_file_io: bool,
    ) -> Result<Self, Errno> {
        let last = last_address(iova, size)?;
        let stat = fstat(&file)?;
        let identity = identify(&stat, offset, size)?;
        let backing = if by_file_io {
            has_positions(&stat)?;
            Backing::File(file.into())
        } else {
            let len = usize::try_from(size).map_err(|_| Errno::ENOMEM)?;
            let writable = rights.contains(Rights::WRITE);
            Backing::Mapped(Mapping::new(file.as_fd(), offset, len, writable)?)
        };
        Ok(Region { first: iova, last, rights, backing, identity: Some(identity) })
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The last address, which may be 2^64 - 1.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Whether mapping `other` as well changes nothing.
    pub(super) fn same_as(&self, other: &Region) -> bool {
        let key = |region: &Region| (region.first, region.last, region.rights, region.identity);
        key(self) == key(other)
    }

    /// Whether the device may do this here, from `iova` on.
    pub(super) fn check(&self, iova: u64, wanted: Rights) -> Result<(), DmaError> {
        if !self.rights.contains(wanted) {
            return Err(match wanted {
                Rights::WRITE => DmaError::NotWritable { iova },
                _ => DmaError::NotReadable { iova },
            });
        }
        match self.backing {
            Backing::Messages => Err(DmaError::MessageMode { iova }),
            _ => Ok(()),
        }
    }

    pub(super) fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), DmaError> {
        match &self.backing {
            Backing::Mapped(mapping) => {
                mapping.read(offset_in(mapping, offset), data).map_err(|Lost| self.lost())
            }
            Backing::File(file) => file
                .read_exact_at(data, self.position(offset))
                .map_err(|source| self.io(offset, source)),
            Backing::Messages => Err(DmaError::MessageMode { iova: self.first + offset }),
        }
    }

    pub(super) fn write(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        match &self.backing {
            Backing::Mapped(mapping) => {
                mapping.write(offset_in(mapping, offset), data).map_err(|Lost| self.lost())
            }
            Backing::File(file) => file
                .write_all_at(data, self.position(offset))
                .map_err(|source| self.io(offset, source)),
            Backing::Messages => Err(DmaError::MessageMode { iova: self.first + offset }),
        }
    }

    fn position(&self, offset: u64) -> u64 {
        self.identity.map_or(0, |identity| identity.offset) + offset
    }

    fn lost(&self) -> DmaError {
        DmaError::Lost { iova: self.first }
    }

    fn io(&self, offset: u64, source: io::Error) -> DmaError {
        DmaError::Io { iova: self.first + offset, source }
    }
}

/// A mapped region is no larger than the address space, so its offsets fit.
fn offset_in(mapping: &Mapping, offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(mapping.len())
}

/// The last address of a range; a range may end exactly at 2^64.
pub(super) fn last_address(first: u64, size: u64) -> Result<u64, Errno> {
    size.checked_sub(1).and_then(|rest| first.checked_add(rest)).ok_or(Errno::EINVAL)
}

/// Refuses a file that ends before the region does: touching it would be fatal (SIGBUS).
fn identify(stat: &FileStat, offset: u64, size: u64) -> Result<Identity, Errno> {
    let end = offset.checked_add(size).ok_or(Errno::EINVAL)?;
    let regular = kind(stat) == SFlag::S_IFREG;
    if regular && u64::try_from(stat.st_size).is_ok_and(|len| end > len) {
        return Err(Errno::EINVAL);
    }
    Ok(Identity { device: stat.st_dev, inode: stat.st_ino, offset })
}

/// Refuses what cannot be read and written at a position, such as a pipe: better now than at every
/// access. (`mmap(2)` does so itself.)
fn has_positions(stat: &FileStat) -> Result<(), Errno> {
    let positions = matches!(kind(stat), SFlag::S_IFREG | SFlag::S_IFBLK);
    if positions { Ok(()) } else { Err(Errno::ENODEV) }
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}
