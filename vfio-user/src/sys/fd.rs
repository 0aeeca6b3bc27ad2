//! Descriptors that the process has inherited.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};

/// Takes ownership of the sockets whose numbers a command line names, and sets close-on-exec. Works
/// once per process, before it opens sockets.
///
/// # Errors
///
/// A number, and EBADF if it is not open, ENOTSOCK if it is not a socket, which then stays open;
/// EBUSY the second time, and for a number that is in the list twice.
pub(crate) fn take_inherited(fds: &[RawFd]) -> Result<Vec<OwnedFd>, (RawFd, io::Error)> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    for (index, fd) in fds.iter().enumerate() {
        let is_new = !fds[..index].contains(fd);
        let checked = if is_new { check(*fd) } else { Err(Errno::EBUSY.into()) };
        checked.map_err(|error| (*fd, error))?;
    }
    let Some(first) = fds.first() else { return Ok(Vec::new()) };
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err((*first, Errno::EBUSY.into()));
    }
    // SAFETY: each `fd` is an open socket, is in the list once, and this happens once. The numbers
    // come from `--fd` on the command line alone, by which the parent process passed them
    // on, so nothing in the process has opened them and nothing else closes them.
    Ok(fds.iter().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }).collect())
}

/// Checks that a number is that of a socket, and sets close-on-exec.
fn check(fd: RawFd) -> io::Result<()> {
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
    Ok(())
}
