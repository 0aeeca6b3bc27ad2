//! Reads and writes of files whose bytes are in memory shared with another process.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

use super::Mapping;

/// The maximum number of ranges in one system call (`IOV_MAX`).
pub(crate) const MAX_RANGES: usize = 1024;

/// Bytes of a mapping, for the kernel to copy from or to.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct SharedBytes<'a>(libc::iovec, PhantomData<&'a Mapping>);

impl SharedBytes<'_> {
    pub(crate) fn len(self) -> usize {
        self.0.iov_len
    }

    /// Removes the first `count` bytes.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub(crate) fn advance(&mut self, count: usize) {
        self.0.iov_len = self.0.iov_len.checked_sub(count).expect("no more bytes than there are");
        // SAFETY: `count` is at most the length of the range, which is inside one allocation.
        self.0.iov_base = unsafe { self.0.iov_base.cast::<u8>().add(count).cast() };
    }
}

impl Mapping {
    /// Returns the bytes of a range.
    ///
    /// # Panics
    ///
    /// If the range is not inside the mapping.
    pub(crate) fn bytes(&self, offset: usize, len: usize) -> SharedBytes<'_> {
        let iov_base = self.address(offset, len).cast();
        SharedBytes(libc::iovec { iov_base, iov_len: len }, PhantomData)
    }
}

/// Reads from `file` at `position` into shared memory. Returns the number of bytes, 0 at the end.
///
/// # Errors
///
/// Those of `preadv(2)`: EFAULT if the memory is not writable, or its file was truncated.
pub(crate) fn preadv(
    file: BorrowedFd<'_>,
    bytes: &[SharedBytes<'_>],
    position: i64,
) -> io::Result<usize> {
    let (ranges, count) = ranges(bytes);
    // SAFETY: the ranges are mapped as long as `bytes` is borrowed. No Rust reference to their
    // bytes exists, because another process may change them. The kernel checks the protection.
    done(unsafe { libc::preadv(file.as_raw_fd(), ranges, count, position) })
}

/// Writes from shared memory to `file` at `position`. Returns the number of bytes.
///
/// # Errors
///
/// Those of `pwritev(2)`: EFAULT if the file behind the memory was truncated.
pub(crate) fn pwritev(
    file: BorrowedFd<'_>,
    bytes: &[SharedBytes<'_>],
    position: i64,
) -> io::Result<usize> {
    let (ranges, count) = ranges(bytes);
    // SAFETY: as in `preadv`; the kernel only reads the ranges.
    done(unsafe { libc::pwritev(file.as_raw_fd(), ranges, count, position) })
}

/// Returns the ranges as the kernel expects them, no more than it accepts.
fn ranges(bytes: &[SharedBytes<'_>]) -> (*const libc::iovec, libc::c_int) {
    let count = bytes.len().min(MAX_RANGES);
    // Below `IOV_MAX`, so it fits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most 1024")]
    let count = count as libc::c_int;
    // `SharedBytes` is a transparent `iovec`.
    (bytes.as_ptr().cast(), count)
}

fn done(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
