//! Shutdown of a server from another thread.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown as Direction;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::eventfd::EventFd;
use crate::fds::PeerSocket;

/// A handle that ends a [`Server`](super::Server) from another thread.
#[derive(Clone, Debug)]
pub struct Shutdown {
    state: Arc<ShutdownState>,
}

#[derive(Debug)]
struct ShutdownState {
    requested: AtomicBool,
    /// Wakes threads that wait for clients.
    wake: EventFd,
    clients: Mutex<Clients>,
}

/// The current clients: a blocked receive ends when the socket is shut down.
#[derive(Debug, Default)]
struct Clients {
    next: u64,
    sockets: HashMap<u64, Arc<PeerSocket>>,
}

impl Shutdown {
    pub(super) fn new() -> io::Result<Self> {
        let state = ShutdownState {
            requested: AtomicBool::new(false),
            wake: EventFd::new()?,
            clients: Mutex::default(),
        };
        Ok(Shutdown { state: Arc::new(state) })
    }

    /// Requests the end of the server: it accepts no new clients, answers the requests that its
    /// clients have sent already, and returns. Does not wait for that.
    pub fn shutdown(&self) {
        self.state.requested.store(true, Ordering::Release);
        self.state.wake.signal();
        for client in self.clients().sockets.values() {
            // An error means that the client has disconnected already.
            let _ = client.shutdown(Direction::Read);
        }
    }

    pub(super) fn is_requested(&self) -> bool {
        self.state.requested.load(Ordering::Acquire)
    }

    /// Returns a descriptor that is readable once the shutdown was requested.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.state.wake.as_fd()
    }

    /// Makes a shutdown reach a client while the returned guard exists.
    pub(super) fn guard(&self, client: &Arc<PeerSocket>) -> io::Result<ShutdownGuard> {
        let mut clients = self.clients();
        let id = clients.next;
        clients.next += 1;
        clients.sockets.insert(id, Arc::clone(client));
        drop(clients);
        let guard = ShutdownGuard { shutdown: self.clone(), id };
        if self.is_requested() {
            client.shutdown(Direction::Read)?;
        }
        Ok(guard)
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.state.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that a shutdown reaches.
#[derive(Debug)]
pub(super) struct ShutdownGuard {
    shutdown: Shutdown,
    id: u64,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.shutdown.clients().sockets.remove(&self.id);
    }
}
