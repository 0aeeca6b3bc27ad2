//! Waiting for a successor, on a thread of its own: one that says nothing keeps nothing waiting.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use tracing::{debug, warn};

use crate::eventfd::EventFd;
use crate::log_throttle::LogThrottle;
use crate::server::registry::{Command, ThreadQueue};
use crate::server::successor::{FORMAT, Hello, Successor};
use crate::take_over::{Kind, Peer, TakeOverError};
use crate::wait::{FOR_EVER, wait_for};

/// The time that a successor has for its first message.
const GREETING: Duration = Duration::from_secs(2);

/// The interval at which connections are accepted that could not be before.
const RETRY: Duration = Duration::from_millis(100);

/// The socket where successors ask, and the thread that waits there.
#[derive(Debug)]
pub(super) struct Watching {
    listener: Arc<UnixListener>,
    end: Arc<EventFd>,
}

impl Watching {
    pub(super) fn new(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Watching { listener: Arc::new(listener), end: Arc::new(EventFd::new()?) })
    }

    /// Starts the thread.
    pub(super) fn start(&self, queue: &Arc<ThreadQueue>) -> io::Result<()> {
        let (listener, end) = (Arc::clone(&self.listener), Arc::clone(&self.end));
        let queue = Arc::clone(queue);
        let thread = thread::Builder::new().name("vfio-user take-over".to_owned());
        thread.spawn(move || watch(&listener, &end, &queue)).map(drop)
    }

    /// Returns the listening socket, for a successor.
    pub(super) fn listener(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end.signal();
    }
}

fn watch(listener: &UnixListener, end: &EventFd, queue: &ThreadQueue) {
    let refused = LogThrottle::default();
    loop {
        let mut fds = [listener.as_fd(), end.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let waited = wait_for(&mut fds, FOR_EVER);
        if waited.is_err() || has_ended(end, Duration::ZERO) {
            return;
        }
        let Ok((stream, _)) = listener.accept() else {
            // The other program has left, or this process may open no more descriptors for now.
            if has_ended(end, RETRY) {
                return;
            }
            continue;
        };
        match Peer::new(stream).and_then(greet) {
            Ok((successor, is_served)) => {
                if queue.send(Command::HandOver(Box::new(successor))).is_err() {
                    return;
                }
                // One at a time: this ends when the other thread drops the successor.
                let _ = is_served.recv();
            }
            Err(error) => {
                if let Some(count) = refused.hit() {
                    warn!(%error, count, "a program that wants to take over is refused");
                }
            }
        }
    }
}

fn has_ended(end: &EventFd, within: Duration) -> bool {
    end.wait(within).is_ok_and(|ended| ended.is_some())
}

/// Receives the first message of a successor, and refuses one that cannot be understood.
fn greet(mut peer: Peer) -> Result<(Successor, Receiver<()>), TakeOverError> {
    peer.wait_until(Some(Instant::now() + GREETING));
    let hello = peer.expect::<Hello>(Kind::Hello).and_then(|hello| match hello.format {
        FORMAT => Ok(hello),
        theirs => Err(TakeOverError::Format { theirs, ours: FORMAT }),
    });
    match hello {
        Ok(hello) => {
            debug!(?hello, "a program wants to take over");
            Ok(Successor::new(peer, hello))
        }
        Err(error) => {
            peer.refuse(&error);
            Err(error)
        }
    }
}
