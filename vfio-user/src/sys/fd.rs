//! Descriptors that the process was started with.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Takes over a descriptor that was inherited by number, and keeps it from children.
///
/// # Errors
///
/// EBADF if it is not open.
pub(crate) fn adopt_inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(nix::errno::Errno::EBADF.into());
    }
    // SAFETY: `fd` is not -1, and the borrow ends with this call; if it is not open, the system
    // call says so and nothing else uses it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the call above proved `fd` open. Ownership passes by the caller's word: the number
    // was given to the program on its command line for this purpose.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
