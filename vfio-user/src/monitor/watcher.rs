//! The monitor's thread: it serves tools, and asks the device's thread for them.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::SigSet;
use tracing::debug;

use super::peer::{Next, Peer};
use super::replies::Replies;
use crate::wait::wait_for;

/// The most connections at a time.
const MOST: usize = 16;
/// The time between two looks at connections that do nothing.
const INTERVAL: Duration = Duration::from_secs(5);
/// The time to wait after a failure to accept a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The monitor's thread.
#[derive(Debug)]
pub(super) struct Watcher {
    listener: Arc<UnixListener>,
    peers: Vec<Peer>,
    replies: Replies,
}

impl Watcher {
    pub(super) fn new(listener: Arc<UnixListener>, replies: Replies) -> Self {
        Watcher { listener, peers: Vec::new(), replies }
    }

    /// Serves tools until the monitor is dropped.
    pub(super) fn run(mut self) {
        // Signals are for the program's own threads.
        let _ = SigSet::all().thread_block();
        while let Ok([false, accepts]) = self.wait() {
            if accepts && let Err(error) = self.accept() {
                debug!(%error, "the monitor cannot accept a connection");
                self.replies.pause(PAUSE);
            }
            self.serve();
        }
    }

    /// Waits for something to do. Returns whether the thread is to end, and whether there may be a
    /// connection to accept.
    fn wait(&self) -> nix::Result<[bool; 2]> {
        let fixed = [self.replies.closed(), self.listener.as_fd()];
        let fixed = fixed.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let peers = self.peers.iter().map(|peer| PollFd::new(peer.as_fd(), peer.wants()));
        let mut fds: Vec<_> = fixed.into_iter().chain(peers).collect();
        let timeout = match () {
            () if self.peers.iter().any(Peer::has_request) => Duration::ZERO,
            () if self.peers.is_empty() => crate::wait::FOR_EVER,
            () => INTERVAL,
        };
        wait_for(&mut fds, timeout)?;
        Ok([0, 1].map(|fd: usize| fds[fd].any().unwrap_or(true)))
    }

    fn accept(&mut self) -> io::Result<()> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        // One too many is closed at once.
        if self.peers.len() < MOST {
            self.peers.push(Peer::new(stream)?);
        }
        Ok(())
    }

    /// Serves at most one request of each connection.
    fn serve(&mut self) {
        let Watcher { peers, replies, .. } = self;
        peers.retain_mut(|peer| {
            match peer.turn() {
                Next::Close => return false,
                Next::Wait => return !peer.is_idle(),
                Next::Request(line) => peer.reply(replies.to(&line), false),
                Next::TooLong => peer.reply(Replies::too_long(), true),
            }
            // Most replies are sent at once.
            peer.send()
        });
    }
}
