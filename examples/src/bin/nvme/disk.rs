//! What is behind a namespace.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::{Advice, MmapMut};
use nix::fcntl::{FallocateFlags, fallocate};
use vfio_user::{DmaError, DmaGuard, FileTransferError};

use crate::spec::Status;

/// Bytes of a logical block.
pub(crate) const BLOCK: u64 = 512;

/// The bytes of a namespace.
#[derive(Debug)]
pub(crate) enum Disk {
    File { file: File, len: u64 },
    Memory(Mutex<MmapMut>),
}

/// Why a command could not be performed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The device stops, or its session has ended: the command stays in its queue.
    Interrupted,
    Status(Status),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Status(status)
    }
}

impl From<DmaError> for Failure {
    fn from(error: DmaError) -> Self {
        // A guest that clears bus master may set it again.
        if error.is_interruption() || matches!(error, DmaError::NotBusMaster { .. }) {
            Failure::Interrupted
        } else {
            Failure::Status(Status::DATA_TRANSFER_ERROR)
        }
    }
}

impl Disk {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        // The length of a block device is where it ends.
        let len = file.seek(SeekFrom::End(0))? / BLOCK * BLOCK;
        Ok(Disk::File { file, len })
    }

    /// Creates a disk of zeros, in pages as large as the system has.
    pub(crate) fn memory(len: usize) -> io::Result<Self> {
        let bytes = MmapMut::map_anon(len)?;
        // Without them, places far from each other cost more.
        let _ = bytes.advise(Advice::HugePage);
        Ok(Disk::Memory(Mutex::new(bytes)))
    }

    /// Returns the number of blocks.
    pub(crate) fn blocks(&self) -> u64 {
        match self {
            Disk::File { len, .. } => len / BLOCK,
            Disk::Memory(bytes) => lock(bytes).len() as u64 / BLOCK,
        }
    }

    /// Reads into guest memory, from byte `at`, which is inside with all of `data`.
    pub(crate) fn read(&self, at: u64, data: &DmaGuard) -> Outcome<()> {
        match self {
            Disk::File { file, .. } => {
                data.read_from(file, at).map_err(|error| failed(error, Status::UNRECOVERED_READ))
            }
            Disk::Memory(bytes) => Ok(data.write(0, part(&mut lock(bytes), at, data.len()))?),
        }
    }

    /// Writes from guest memory.
    pub(crate) fn write(&self, at: u64, data: &DmaGuard) -> Outcome<()> {
        match self {
            Disk::File { file, .. } => {
                data.write_to(file, at).map_err(|error| failed(error, Status::WRITE_FAULT))
            }
            Disk::Memory(bytes) => Ok(data.read(0, part(&mut lock(bytes), at, data.len()))?),
        }
    }

    /// Returns bytes of it.
    pub(crate) fn bytes(&self, at: u64, len: u64) -> Outcome<Vec<u8>> {
        match self {
            Disk::File { file, .. } => {
                let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
                let read = file.read_exact_at(&mut bytes, at);
                read.map(|()| bytes).map_err(|_| Status::UNRECOVERED_READ.into())
            }
            Disk::Memory(bytes) => Ok(part(&mut lock(bytes), at, len).to_vec()),
        }
    }

    /// Makes bytes zero, and releases what stores them.
    pub(crate) fn clear(&self, at: u64, len: u64) -> Outcome<()> {
        match self {
            Disk::File { file, .. } => {
                let flags =
                    FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let range = at..at + len;
                let [at, len] = [at, len].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
                match fallocate(file, flags, at, len) {
                    // Not every file can have holes.
                    Err(_) => zero(file, range).map_err(|_| Status::WRITE_FAULT.into()),
                    Ok(()) => Ok(()),
                }
            }
            Disk::Memory(bytes) => {
                part(&mut lock(bytes), at, len).fill(0);
                Ok(())
            }
        }
    }

    pub(crate) fn flush(&self) -> Outcome<()> {
        match self {
            Disk::File { file, .. } => file.sync_data().map_err(|_| Status::WRITE_FAULT.into()),
            Disk::Memory(_) => Ok(()),
        }
    }
}

/// Writes zeros.
fn zero(file: &File, range: Range<u64>) -> io::Result<()> {
    let zeros = [0; 4096];
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(range.end - at).map_or(zeros.len(), |len| len.min(zeros.len()));
        file.write_all_at(&zeros[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

fn failed(error: FileTransferError, media: Status) -> Failure {
    match error {
        FileTransferError::Memory(error) => error.into(),
        _ => media.into(),
    }
}

fn lock(bytes: &Mutex<MmapMut>) -> MutexGuard<'_, MmapMut> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns bytes that are inside.
fn part(bytes: &mut [u8], at: u64, len: u64) -> &mut [u8] {
    let [at, len] = [at, len].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    &mut bytes[at..at + len]
}
