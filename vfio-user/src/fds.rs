//! Descriptors from a peer, which may refer to any kind of file.

use std::fs;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};

/// The maximum number of descriptors that are being closed on the other thread.
const MAX_WAITING: usize = 64;

/// Descriptors that a peer has sent. Those that are not taken out are closed on another thread when
/// this is dropped, so that no refusal waits for the file behind a descriptor.
#[derive(Debug, Default)]
pub(crate) struct PeerFds(Vec<OwnedFd>);

impl PeerFds {
    /// Takes out all descriptors. The caller is responsible for how they are closed.
    pub(crate) fn into_owned(mut self) -> Vec<OwnedFd> {
        mem::take(&mut self.0)
    }

    /// Takes out the last descriptor, likewise.
    pub(crate) fn pop(&mut self) -> Option<OwnedFd> {
        self.0.pop()
    }

    /// Takes out one descriptor, likewise; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, place: usize) -> Option<OwnedFd> {
        (place < self.0.len()).then(|| self.0.swap_remove(place))
    }

    /// Adds others, up to `most` in total; the rest is closed.
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

/// Closes a descriptor without waiting for the file behind it. `close(2)` waits for the daemon of a
/// file system in user space, and a socket waits for the data that it has to send. Such descriptors
/// are closed on a thread of their own. While too many are waiting already, further ones stay open.
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

/// Returns whether only the kernel is involved: a file that lives in memory, or one without a path,
/// recognized by its name.
fn closes_at_once(fd: &OwnedFd) -> bool {
    if fcntl(fd, FcntlArg::F_GET_SEALS).is_ok() {
        return true;
    }
    let name = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
    let name = name.to_string_lossy();
    ["pipe:", "anon_inode:"].iter().any(|kind| name.starts_with(kind))
}
