//! What is behind a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::{Advice, MmapMut};
use nix::fcntl::{FallocateFlags, fallocate};
use vfio_user::{DmaError, DmaGuard, Error, FileTransferError};

/// The bytes of a disk: a file, a block device or memory.
#[derive(Debug)]
pub struct Disk {
    len: u64,
    backing: Backing,
}

/// Why a disk has not done what it should.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The guest's memory could not be accessed.
    #[error(transparent)]
    Memory(#[from] DmaError),
    /// The disk has no such blocks.
    #[error("the blocks are not inside the disk")]
    Outside,
    /// Bytes could not be read.
    #[error("the disk could not be read")]
    Read(#[source] io::Error),
    /// Bytes could not be written, or made durable.
    #[error("the disk could not be written")]
    Write(#[source] io::Error),
}

#[derive(Debug)]
enum Backing {
    File(File),
    Memory(Mutex<MmapMut>),
}

impl Disk {
    /// Opens a file or a block device.
    ///
    /// # Errors
    ///
    /// When it cannot be opened for reading and writing; the error names it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            // The length of a block device is where it ends.
            let len = file.seek(SeekFrom::End(0))?;
            Ok(Disk::from_file(file, len))
        };
        open().map_err(|error: io::Error| Error::device(format!("{}: {error}", path.display())))
    }

    /// Creates a disk that is the first `len` bytes of a file.
    pub fn from_file(file: File, len: u64) -> Self {
        Disk { len, backing: Backing::File(file) }
    }

    /// Creates a disk of zeros in memory, in pages as large as the system has.
    ///
    /// # Errors
    ///
    /// When there is not so much memory.
    pub fn memory(len: usize) -> io::Result<Self> {
        let bytes = MmapMut::map_anon(len)?;
        // Without them, places far from each other cost more.
        let _ = bytes.advise(Advice::HugePage);
        Ok(Disk { len: len as u64, backing: Backing::Memory(Mutex::new(bytes)) })
    }

    /// Returns the file, unless it is memory.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.backing {
            Backing::File(file) => Some(file),
            Backing::Memory(_) => None,
        }
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the first byte and the length of `count` blocks from block `first` on, which have
    /// `size` bytes each.
    ///
    /// # Errors
    ///
    /// [`DiskError::Outside`] unless the disk has all of them.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[inline]
    pub fn extent(&self, first: u64, count: u64, size: u64) -> Result<(u64, u64), DiskError> {
        let end = first.checked_add(count).filter(|end| *end <= self.len / size);
        end.map(|_| (first * size, count * size)).ok_or(DiskError::Outside)
    }

    /// Reads into guest memory, from byte `at` on.
    ///
    /// # Errors
    ///
    /// When the memory cannot be written, or the bytes cannot be read or are not inside.
    pub fn read(&self, at: u64, data: &DmaGuard) -> Result<(), DiskError> {
        match &self.backing {
            Backing::File(file) => data.read_from(file, at).map_err(of_read),
            Backing::Memory(bytes) => {
                let mut bytes = lock(bytes);
                let part = part(&mut bytes, at, data.len()).map_err(DiskError::Read)?;
                Ok(data.write(0, part)?)
            }
        }
    }

    /// Writes from guest memory, to byte `at` and those after it.
    ///
    /// # Errors
    ///
    /// When the memory cannot be read, or the bytes cannot be written or are not inside.
    pub fn write(&self, at: u64, data: &DmaGuard) -> Result<(), DiskError> {
        match &self.backing {
            Backing::File(file) => data.write_to(file, at).map_err(of_write),
            Backing::Memory(bytes) => {
                let mut bytes = lock(bytes);
                let part = part(&mut bytes, at, data.len()).map_err(DiskError::Write)?;
                Ok(data.read(0, part)?)
            }
        }
    }

    /// Returns whether guest memory has the same bytes as the disk, from byte `at` on.
    ///
    /// # Errors
    ///
    /// When the memory or the file cannot be read, or the bytes are not inside.
    pub fn is_equal(&self, at: u64, data: &DmaGuard) -> Result<bool, DiskError> {
        let stored = self.bytes(at, data.len()).map_err(DiskError::Read)?;
        let mut given = vec![0; stored.len()];
        data.read(0, &mut given)?;
        Ok(given == stored)
    }

    fn bytes(&self, at: u64, len: u64) -> io::Result<Vec<u8>> {
        match &self.backing {
            Backing::File(file) => {
                let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
                file.read_exact_at(&mut bytes, at).map(|()| bytes)
            }
            Backing::Memory(bytes) => part(&mut lock(bytes), at, len).map(|part| part.to_vec()),
        }
    }

    /// Makes ranges zero, of a first byte and a length, and releases what stores them. No byte is
    /// cleared twice, however the ranges overlap.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or a range is not inside.
    pub fn clear(&self, mut ranges: Vec<(u64, u64)>) -> Result<(), DiskError> {
        ranges.sort_unstable();
        let mut end = 0;
        for (at, len) in ranges {
            let start = at.max(end);
            end = end.max(at.saturating_add(len));
            if start < end {
                self.clear_range(start, end - start).map_err(DiskError::Write)?;
            }
        }
        Ok(())
    }

    fn clear_range(&self, at: u64, len: u64) -> io::Result<()> {
        match &self.backing {
            Backing::File(file) => {
                let flags =
                    FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let [start, count] = [at, len].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
                // Not every file can have holes.
                fallocate(file, flags, start, count).or_else(|_| write_zeros(file, at, len))
            }
            Backing::Memory(bytes) => {
                part(&mut lock(bytes), at, len)?.fill(0);
                Ok(())
            }
        }
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn flush(&self) -> Result<(), DiskError> {
        match &self.backing {
            Backing::File(file) => file.sync_data().map_err(DiskError::Write),
            Backing::Memory(_) => Ok(()),
        }
    }
}

pub(crate) fn of_read(error: FileTransferError) -> DiskError {
    match error {
        FileTransferError::Memory(error) => DiskError::Memory(error),
        error => DiskError::Read(io::Error::other(error)),
    }
}

pub(crate) fn of_write(error: FileTransferError) -> DiskError {
    match error {
        FileTransferError::Memory(error) => DiskError::Memory(error),
        error => DiskError::Write(io::Error::other(error)),
    }
}

fn write_zeros(file: &File, at: u64, len: u64) -> io::Result<()> {
    let zeros = [0; 4096];
    for offset in (0..len).step_by(zeros.len()) {
        let count = usize::try_from(len - offset).map_or(zeros.len(), |n| n.min(zeros.len()));
        file.write_all_at(&zeros[..count], at + offset)?;
    }
    Ok(())
}

fn lock(bytes: &Mutex<MmapMut>) -> MutexGuard<'_, MmapMut> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns bytes of the memory, if they are inside.
fn part(bytes: &mut [u8], at: u64, len: u64) -> io::Result<&mut [u8]> {
    let end = at.checked_add(len).and_then(|end| usize::try_from(end).ok());
    let part = end.and_then(|end| bytes.get_mut(usize::try_from(at).ok()?..end));
    part.ok_or(io::ErrorKind::UnexpectedEof.into())
}
