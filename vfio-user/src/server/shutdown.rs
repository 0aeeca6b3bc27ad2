//! Ending a server from another thread.

use std::io;
use std::net::Shutdown as Direction;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::eventfd::EventFd;

/// Ends a [`Server`](super::Server) from another thread.
#[derive(Clone, Debug)]
pub struct Shutdown {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    requested: AtomicBool,
    /// Wakes a server that waits for a client.
    wake: EventFd,
    /// The client being served: a blocked receive ends when the socket is shut down.
    client: Mutex<Option<UnixStream>>,
}

impl Shutdown {
    pub(super) fn new() -> io::Result<Self> {
        let state = State {
            requested: AtomicBool::new(false),
            wake: EventFd::new()?,
            client: Mutex::default(),
        };
        Ok(Shutdown { state: Arc::new(state) })
    }

    /// Ends the server: it accepts nobody any more, answers what its client has sent already, and
    /// returns. Does not wait for that.
    pub fn shutdown(&self) {
        self.state.requested.store(true, Ordering::Release);
        self.state.wake.signal();
        if let Some(client) = &*self.client() {
            // An error means that the client is gone already.
            let _ = client.shutdown(Direction::Read);
        }
    }

    pub(super) fn is_requested(&self) -> bool {
        self.state.requested.load(Ordering::Acquire)
    }

    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.state.wake.as_fd()
    }

    /// Lets a shutdown reach a client while the guard lives.
    pub(super) fn cover(&self, client: &UnixStream) -> io::Result<Cover<'_>> {
        *self.client() = Some(client.try_clone()?);
        if self.is_requested() {
            client.shutdown(Direction::Read)?;
        }
        Ok(Cover(self))
    }

    fn client(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.state.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that a shutdown reaches.
pub(super) struct Cover<'a>(&'a Shutdown);

impl Drop for Cover<'_> {
    fn drop(&mut self) {
        *self.0.client() = None;
    }
}
