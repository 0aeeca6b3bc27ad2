//! What is behind the device.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::{DmaGuard, FileTransferError};

/// Bytes of a sector.
pub(crate) const SECTOR: u64 = 512;

/// The bytes of the device.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    sectors: u64,
}

impl Disk {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        // The length of a block device is where it ends.
        let sectors = file.seek(SeekFrom::End(0))? / SECTOR;
        Ok(Disk { file, sectors })
    }

    pub(crate) fn memory(len: u64) -> io::Result<Self> {
        let file = File::from(memfd_create(c"disk", MFdFlags::MFD_CLOEXEC)?);
        file.set_len(len)?;
        Ok(Disk { file, sectors: len / SECTOR })
    }

    pub(crate) fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Reads into guest memory, from byte `at` on.
    pub(crate) fn read(&self, at: u64, data: &DmaGuard) -> Result<(), FileTransferError> {
        data.read_from(&self.file, at)
    }

    /// Writes from guest memory.
    pub(crate) fn write(&self, at: u64, data: &DmaGuard) -> Result<(), FileTransferError> {
        data.write_to(&self.file, at)
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Makes bytes zero, and releases what stores them.
    pub(crate) fn clear(&self, at: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let [start, count] = [at, len].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        // Not every file can have holes.
        fallocate(&self.file, flags, start, count).or_else(|_| self.write_zeros(at, len))
    }

    fn write_zeros(&self, at: u64, len: u64) -> io::Result<()> {
        let zeros = [0; 4096];
        for offset in (0..len).step_by(zeros.len()) {
            let count = usize::try_from(len - offset).map_or(zeros.len(), |n| n.min(zeros.len()));
            self.file.write_all_at(&zeros[..count], at + offset)?;
        }
        Ok(())
    }
}
