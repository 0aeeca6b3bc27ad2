//! Descriptors that the process has inherited.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};

/// Takes ownership of the socket whose number a command line names, and sets close-on-exec. Works
/// once per process.
///
/// # Errors
///
/// EBADF if it is not open, ENOTSOCK if it is not a socket, which then stays open; EBUSY the second
/// time.
pub(crate) fn take_inherited(fd: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if fd < 0 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: `fd` is not -1, and the borrow ends with this function; if it is not open, the system
    // calls say so and nothing else uses it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let mode = SFlag::from_bits_truncate(fstat(borrowed)?.st_mode);
    if mode & SFlag::S_IFMT != SFlag::S_IFSOCK {
        return Err(Errno::ENOTSOCK.into());
    }
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Errno::EBUSY.into());
    }
    // SAFETY: `fd` is an open socket, and this happens once. The number comes from `--fd` on the
    // command line alone, by which whoever started the process passed it on, so nothing in the
    // process has opened it and nothing else closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
