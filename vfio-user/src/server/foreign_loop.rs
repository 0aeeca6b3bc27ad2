//! A server in the event loop of its program.

use std::os::fd::BorrowedFd;

use super::{Server, ServerEnd};
use crate::error::{Error, Result};

impl Server {
    /// Returns a descriptor that is readable while there is work, for a foreign event loop:
    /// `poll(2)` it, or add it to an epoll set, level-triggered.
    pub fn poll_fd(&self) -> BorrowedFd<'_> {
        self.reactor.poll_fd()
    }

    /// Does the current work of the devices that were added, without waiting for a client, for the
    /// rest of a message, or for room in a socket. Returns whether there is, or can be, a device
    /// left to serve; if there is none, [`is_handed_over`](Self::is_handed_over) says whether
    /// another program serves them.
    ///
    /// Call it once at the start, and then whenever [`poll_fd`](Self::poll_fd) is readable. One
    /// call is one turn for each device that has work.
    ///
    /// The first call starts a thread that logs hooks which do not return for a second; it ends
    /// with the server. All servers on one thread share it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn process(&mut self) -> Result<bool> {
        self.check()?;
        self.reactor.process(&mut |_| Err(Error::NoSocket))
    }

    /// As [`process`](Self::process), but waits until there is work: one step of
    /// [`run`](Self::run), for a loop that does something of its own between two steps. It may
    /// return without having done anything, for example after a signal, and does not return while a
    /// single client keeps its device busy.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn wait_and_process(&mut self) -> Result<bool> {
        self.check()?;
        self.reactor.wait_and_process(&mut |_| Err(Error::NoSocket))
    }

    /// Returns whether another program has [taken over](Self::take_over), as
    /// [`ServerEnd::HandedOver`] says for [`run`](Self::run).
    pub fn is_handed_over(&self) -> bool {
        self.reactor.end() == ServerEnd::HandedOver
    }

    /// Returns whether a connection has been accepted that has not negotiated a version yet.
    pub fn is_negotiating(&self) -> bool {
        self.reactor.is_negotiating()
    }

    /// Returns whether the handler of a signal has ended the wait of the last
    /// [`wait_and_process`](Self::wait_and_process).
    pub fn is_interrupted(&self) -> bool {
        self.reactor.is_interrupted()
    }
}
