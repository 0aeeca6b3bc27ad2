//! Descriptors of a peer's that may be of anything.

use std::fs;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};

/// Most descriptors that are being closed aside.
const MAX_WAITING: usize = 64;

/// Descriptors that a peer has sent. Whatever is not taken out is closed aside, wherever it is dropped:
/// so no refusal can wait for what a descriptor is of.
#[derive(Debug, Default)]
pub(crate) struct PeerFds(Vec<OwnedFd>);

impl PeerFds {
    /// Takes out all of them. The caller is responsible for how they are closed.
    pub(crate) fn into_owned(mut self) -> Vec<OwnedFd> {
        mem::take(&mut self.0)
    }

    /// Takes out the last one, likewise.
    pub(crate) fn pop(&mut self) -> Option<OwnedFd> {
        self.0.pop()
    }

    /// Takes out one, likewise; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, place: usize) -> Option<OwnedFd> {
        (place < self.0.len()).then(|| self.0.swap_remove(place))
    }

    /// Adds others, up to `most` together; those beyond are closed.
    pub(crate) fn extend_to(&mut self, most: usize, mut others: PeerFds) {
        let room = most.saturating_sub(self.0.len());
        let taken = others.0.len().min(room);
        self.0.extend(others.0.drain(..taken));
    }
}

impl From<Vec<OwnedFd>> for PeerFds {
    fn from(fds: Vec<OwnedFd>) -> Self {
        PeerFds(fds)
    }
}

impl Deref for PeerFds {
    type Target = [OwnedFd];

    fn deref(&self) -> &[OwnedFd] {
        &self.0
    }
}

impl Drop for PeerFds {
    fn drop(&mut self) {
        self.0.drain(..).for_each(close_aside);
    }
}

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
