//! Descriptors that a peer has sent, which may be of anything.
//!
//! The last `close(2)` of a file of a file system in user space waits for that file system, and of
//! a socket for what it has to send. So none of them is dropped as an [`OwnedFd`] before it is
//! clear what it is of: a [`PeerFd`] is closed on another thread, wherever it is dropped.

mod close_queue;

use std::fs::{self, File};
use std::io;
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::socket::{MsgFlags, recv};

pub(crate) use close_queue::CloseQueue;

/// A descriptor that the other side of a connection has sent.
///
/// It may be of anything, also of a file whose `close(2)` takes for ever. So dropping it never
/// waits: what may take time to close is closed on another thread. Use it by [`AsFd`], or clone it
/// with [`BorrowedFd::try_clone_to_owned`]; a clone is closed wherever it is dropped.
#[derive(Debug)]
pub struct PeerFd {
    /// There until it is dropped, or turned into what it is known to be.
    file: Option<File>,
    close_queue: CloseQueue,
    /// Whether it is known to be of a file whose close never waits.
    closes_at_once: bool,
}

impl PeerFd {
    /// Takes a descriptor, which is closed on the queue of the peer that has sent it.
    pub(crate) fn new(fd: OwnedFd, close_queue: &CloseQueue) -> Self {
        PeerFd { file: Some(fd.into()), close_queue: close_queue.clone(), closes_at_once: false }
    }

    /// Notes that it is of a file in memory, so that a drop need not check what it is of.
    pub(crate) fn in_memory(mut self) -> Self {
        self.closes_at_once = true;
        self
    }

    /// Returns whether it is of a file that lives in memory: of `memfd_create(2)`, tmpfs or
    /// hugetlbfs. Only the kernel answers this, so it never waits for another process, as
    /// `fstat(2)` may.
    pub(crate) fn is_in_memory(&self) -> bool {
        has_seals(self.file())
    }

    /// Returns it as a file, to read and write at a position.
    pub(crate) fn file(&self) -> &File {
        self.file.as_ref().expect("it is there until it is dropped")
    }

    /// Takes it out if it is of a kind that can be dropped anywhere.
    pub(crate) fn into_known(
        mut self,
        is_known: impl FnOnce(BorrowedFd<'_>) -> bool,
    ) -> Option<OwnedFd> {
        if is_known(self.as_fd()) { self.file.take().map(OwnedFd::from) } else { None }
    }

    /// Closes it on another queue.
    pub(crate) fn with_queue(mut self, close_queue: &CloseQueue) -> Self {
        self.close_queue = close_queue.clone();
        self
    }

    /// Returns another descriptor of the same file, with the same close queue.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let file = Some(self.file().try_clone()?);
        Ok(PeerFd {
            file,
            close_queue: self.close_queue.clone(),
            closes_at_once: self.closes_at_once,
        })
    }
}

impl AsFd for PeerFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}

impl Drop for PeerFd {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            if self.closes_at_once || closes_at_once(&file) {
                drop(file);
            } else {
                self.close_queue.close(file);
            }
        }
    }
}

/// Takes a descriptor of this process, with a close queue of its own.
impl From<OwnedFd> for PeerFd {
    fn from(fd: OwnedFd) -> Self {
        PeerFd::new(fd, &CloseQueue::default())
    }
}

/// The descriptors that came with one message.
#[derive(Debug, Default)]
pub(crate) struct PeerFds(Vec<PeerFd>);

impl PeerFds {
    pub(crate) fn new(fds: Vec<OwnedFd>, close_queue: &CloseQueue) -> Self {
        PeerFds(fds.into_iter().map(|fd| PeerFd::new(fd, close_queue)).collect())
    }

    /// Takes out one; the last one moves to its index.
    pub(crate) fn take(&mut self, place: usize) -> Option<PeerFd> {
        (place < self.0.len()).then(|| self.0.swap_remove(place))
    }

    /// Adds others, up to `most` together; those beyond are closed.
    pub(crate) fn extend_to(&mut self, most: usize, others: PeerFds) {
        let room = most.saturating_sub(self.0.len());
        self.0.extend(others.0.into_iter().take(room));
    }
}

impl FromIterator<PeerFd> for PeerFds {
    fn from_iter<I: IntoIterator<Item = PeerFd>>(fds: I) -> Self {
        PeerFds(fds.into_iter().collect())
    }
}

/// As of one descriptor.
impl From<Vec<OwnedFd>> for PeerFds {
    fn from(fds: Vec<OwnedFd>) -> Self {
        PeerFds::new(fds, &CloseQueue::default())
    }
}

impl Deref for PeerFds {
    type Target = [PeerFd];

    fn deref(&self) -> &[PeerFd] {
        &self.0
    }
}

impl IntoIterator for PeerFds {
    type Item = PeerFd;
    type IntoIter = std::vec::IntoIter<PeerFd>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A connection to a peer. What the peer has sent and was not received is closed with it, which may
/// take as long: so dropping it never waits either.
#[derive(Debug)]
pub(crate) struct PeerSocket {
    /// There until it is dropped.
    stream: Option<UnixStream>,
    close_queue: CloseQueue,
    /// Whether another process has the connection.
    is_handed_over: AtomicBool,
}

impl PeerSocket {
    /// Takes a connection, which is closed on this queue.
    pub(crate) fn new(stream: UnixStream, close_queue: &CloseQueue) -> Self {
        let is_handed_over = AtomicBool::new(false);
        PeerSocket { stream: Some(stream), close_queue: close_queue.clone(), is_handed_over }
    }

    /// Leaves the connection to another process, or takes it back: a connection of another process
    /// goes on when this is dropped.
    pub(crate) fn set_handed_over(&self, is_handed_over: bool) {
        self.is_handed_over.store(is_handed_over, Ordering::Relaxed);
    }

    /// Returns the queue on which the descriptors that it receives are closed.
    pub(crate) fn close_queue(&self) -> &CloseQueue {
        &self.close_queue
    }
}

impl Deref for PeerSocket {
    type Target = UnixStream;

    fn deref(&self) -> &UnixStream {
        self.stream.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for PeerSocket {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        if *self.is_handed_over.get_mut() {
            // The other process may have ended, so this may be the last descriptor.
            return self.close_queue.close(OwnedFd::from(stream).into());
        }
        // Nothing more arrives from here on. An error means that the peer is gone already.
        let _ = stream.shutdown(Shutdown::Both);
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        if recv(stream.as_raw_fd(), &mut [0], flags).is_ok_and(|bytes| bytes > 0) {
            self.close_queue.close(OwnedFd::from(stream).into());
        }
    }
}

/// Returns whether the kernel alone serves the file: it lives in memory, or has no path, which its
/// name shows.
fn closes_at_once(file: &File) -> bool {
    if has_seals(file) {
        return true;
    }
    let name = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    let name = name.to_string_lossy();
    ["pipe:", "anon_inode:"].iter().any(|kind| name.starts_with(kind))
}

/// Returns whether a file can have seals, as all files in memory can and no others.
fn has_seals(file: &File) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS).is_ok()
}
