//! Descriptors of a peer's that may be of anything.

use std::fs;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};

/// Most descriptors that are being closed aside.
const MAX_WAITING: usize = 64;

/// Closes a descriptor without waiting for whoever is behind it: `close(2)` of a file of a file system
/// in user space waits for that, and of a socket for what it has to send. Such descriptors are closed
/// on a thread of their own. While many are waited for already, further ones stay open.
pub(crate) fn close_aside(fd: OwnedFd) {
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    if closes_at_once(&fd) {
        return drop(fd);
    }
    let fd = ManuallyDrop::new(fd);
    let waiting = WAITING.fetch_add(1, Ordering::Relaxed);
    let closed = (waiting < MAX_WAITING).then(|| {
        let thread = thread::Builder::new().name("vfio-user close".to_owned());
        thread.spawn(move || {
            drop(ManuallyDrop::into_inner(fd));
            WAITING.fetch_sub(1, Ordering::Relaxed);
        })
    });
    if !matches!(closed, Some(Ok(_))) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether it is the kernel's alone: a file that lives in memory, or one without a path, which says so by
/// what it is called.
fn closes_at_once(fd: &OwnedFd) -> bool {
    if fcntl(fd, FcntlArg::F_GET_SEALS).is_ok() {
        return true;
    }
    let name = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
    let name = name.to_string_lossy();
    ["pipe:", "anon_inode:"].iter().any(|kind| name.starts_with(kind))
}
