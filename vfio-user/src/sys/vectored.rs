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

// SAFETY: it is an address and a length, through which the kernel alone accesses memory, and any
// thread may use the mapping that it is borrowed from.
unsafe impl Send for SharedBytes<'_> {}

impl SharedBytes<'_> {
    pub(crate) fn len(self) -> usize {
        self.0.iov_len
    }

    /// Returns its first byte.
    #[cfg(feature = "io-uring")]
    pub(super) fn start(self) -> *mut u8 {
        self.0.iov_base.cast()
    }

    /// Ends the borrow of the mapping.
    ///
    /// # Safety
    ///
    /// The mapping has to exist as long as the result is used.
    #[cfg(feature = "io-uring")]
    pub(super) unsafe fn detach(self) -> SharedBytes<'static> {
        SharedBytes(self.0, PhantomData)
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

/// Removes the first `count` bytes of ranges. Returns the number of ranges of which none are left;
/// they are not changed.
pub(crate) fn skip(ranges: &mut [SharedBytes<'_>], count: usize) -> usize {
    let mut rest = count;
    let is_whole = |bytes: &&SharedBytes<'_>| {
        let is_whole = bytes.len() <= rest;
        rest -= if is_whole { bytes.len() } else { 0 };
        is_whole
    };
    let whole = ranges.iter().take_while(is_whole).count();
    if let Some(first) = ranges.get_mut(whole) {
        first.advance(rest);
    }
    whole
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
