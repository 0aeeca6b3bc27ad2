//! Bytes between files of the device and memory of the client, without a copy in between.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::uio::{pread, pwrite};

use super::DmaError;
use super::guard::DmaGuard;
use super::rights::Rights;
use super::segment::DmaSegment;
use crate::sys::{SharedBytes, preadv, pwritev, skip};

/// The size of the buffer for memory that is not mapped.
const COPIED: usize = 64 << 10;

/// Why bytes could not be moved between a file of the device and memory of the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileTransferError {
    /// The memory could not be accessed.
    #[error(transparent)]
    Memory(#[from] DmaError),
    /// The file could not be read or written. A file that ends too early is
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    #[error("the file could not be accessed at position {position:#x}")]
    File {
        /// The position in the file.
        position: u64,
        /// The error of the system.
        source: io::Error,
    },
}

impl FileTransferError {
    /// Returns whether the device is stopped or its session has ended:
    /// [`DmaError::is_interruption`].
    pub fn is_interruption(&self) -> bool {
        matches!(self, FileTransferError::Memory(error) if error.is_interruption())
    }
}

impl DmaGuard {
    /// Reads bytes of `file`, from `position` on, into all of the range.
    ///
    /// The kernel copies into mapped memory by itself (`preadv(2)`), and so do direct reads of a
    /// disk (`O_DIRECT`). Several guards are one range if they are collected into one.
    ///
    /// ```
    /// # use std::fs::File;
    /// # use vfio_user::{Dma, FileTransferError};
    /// /// Reads `pages` of 4 KiB, wherever the guest has them.
    /// fn read(dma: &Dma, pages: &[u64], disk: &File, at: u64) -> Result<(), FileTransferError> {
    ///     let held = pages.iter().map(|page| dma.map_writable(*page, 4096));
    ///     held.collect::<Result<vfio_user::DmaGuard, _>>()?.read_from(disk, at)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileTransferError`]; a part may have been read then.
    pub fn read_from(&self, file: impl AsFd, position: u64) -> Result<(), FileTransferError> {
        let mut cursor = Cursor { file: file.as_fd(), position };
        for run in self.runs() {
            if run[0].is_mapped() {
                let read = cursor.move_mapped(run, Rights::WRITE, preadv);
                // A failed read may have read a part.
                for segment in run {
                    segment.mark_dirty(0, segment.len());
                }
                read?;
            } else {
                run.iter().try_for_each(|segment| cursor.read_copied(segment))?;
            }
        }
        Ok(())
    }

    /// Writes all of the range to `file`, from `position` on, as [`read_from`](Self::read_from).
    ///
    /// # Errors
    ///
    /// [`FileTransferError`]; a part may have been written then.
    pub fn write_to(&self, file: impl AsFd, position: u64) -> Result<(), FileTransferError> {
        let mut cursor = Cursor { file: file.as_fd(), position };
        for run in self.runs() {
            if run[0].is_mapped() {
                cursor.move_mapped(run, Rights::READ, pwritev)?;
                run.iter().for_each(DmaSegment::note_read);
            } else {
                run.iter().try_for_each(|segment| cursor.write_copied(segment))?;
            }
        }
        Ok(())
    }

    /// Returns the segments, cut where mapped memory begins or ends.
    fn runs(&self) -> impl Iterator<Item = &[DmaSegment]> {
        self.segments().chunk_by(|one, next| one.is_mapped() == next.is_mapped())
    }
}

/// A system call that moves bytes between a file and shared memory.
type Vectored = fn(BorrowedFd<'_>, &[SharedBytes<'_>], i64) -> io::Result<usize>;

/// A position in a file.
struct Cursor<'a> {
    file: BorrowedFd<'a>,
    position: u64,
}

impl Cursor<'_> {
    fn move_mapped(
        &mut self,
        run: &[DmaSegment],
        rights: Rights,
        call: Vectored,
    ) -> Result<(), FileTransferError> {
        let bytes = run.iter().map(|segment| segment.mapped_bytes(rights));
        let mut bytes = bytes.collect::<Result<Vec<_>, _>>()?;
        let moved =
            self.move_all(&mut bytes, |cursor, rest| call(cursor.file, rest, cursor.offset()?));
        // Memory that is lost meanwhile was replaced by zeros.
        run.iter().try_for_each(|segment| segment.mapped_bytes(rights).map(drop))?;
        match moved {
            Err(error) if error.raw_os_error() == Some(Errno::EFAULT as i32) => {
                Err(run[0].lost().into())
            }
            moved => moved.map_err(|source| self.failed(source)),
        }
    }

    /// Repeats a system call until all bytes are moved.
    fn move_all<'b>(
        &mut self,
        bytes: &mut [SharedBytes<'b>],
        mut call: impl FnMut(&Self, &[SharedBytes<'b>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = match call(self, rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                moved => moved?,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.position += count as u64;
            let moved = skip(rest, count);
            rest = &mut rest[moved..];
        }
        Ok(())
    }

    fn read_copied(&mut self, segment: &DmaSegment) -> Result<(), FileTransferError> {
        for (offset, len) in parts(segment) {
            let mut data = vec![0; len];
            let mut rest = &mut data[..];
            while !rest.is_empty() {
                let count = self.retry(|file, offset| pread(file, rest, offset))?;
                rest = &mut rest[count..];
            }
            segment.write(offset, &data)?;
        }
        Ok(())
    }

    fn write_copied(&mut self, segment: &DmaSegment) -> Result<(), FileTransferError> {
        for (offset, len) in parts(segment) {
            let mut data = vec![0; len];
            segment.read(offset, &mut data)?;
            let mut rest = &data[..];
            while !rest.is_empty() {
                let count = self.retry(|file, offset| pwrite(file, rest, offset))?;
                rest = &rest[count..];
            }
        }
        Ok(())
    }

    /// Returns the number of bytes that a system call has moved, at least one.
    fn retry(
        &mut self,
        mut call: impl FnMut(BorrowedFd<'_>, i64) -> nix::Result<usize>,
    ) -> Result<usize, FileTransferError> {
        loop {
            let moved = self.offset().and_then(|offset| Ok(call(self.file, offset)?));
            match moved {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(source) => return Err(self.failed(source)),
            }
        }
    }

    fn offset(&self) -> io::Result<i64> {
        i64::try_from(self.position).map_err(|_| Errno::EINVAL.into())
    }

    fn failed(&self, source: io::Error) -> FileTransferError {
        FileTransferError::File { position: self.position, source }
    }
}

/// Returns the parts of a segment that are copied one by one: offset and length.
fn parts(segment: &DmaSegment) -> impl Iterator<Item = (u64, usize)> {
    let len = usize::try_from(segment.len()).unwrap_or(usize::MAX);
    (0..len).step_by(COPIED).map(move |offset| (offset as u64, COPIED.min(len - offset)))
}
