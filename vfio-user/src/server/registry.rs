//! Addition and removal of devices while a server runs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::endpoint::{Endpoint, Factory};
use super::served_id::ServedId;
use super::shutdown::Shutdown;
use super::socket::Socket;
use super::successor::Successor;
use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::eventfd::EventFd;
use crate::function::{Function, PciFunction};

/// A handle that adds devices to a running [`Server`](super::Server) and removes them, from any
/// thread and from hooks.
///
/// While one exists, the server's threads wait for it as well as for their clients, which costs one
/// more system call per request; and a server without devices waits for the next one.
#[derive(Clone, Debug)]
pub struct Handle {
    registry: Arc<Registry>,
}

impl Handle {
    pub(super) fn new(registry: &Arc<Registry>) -> Self {
        Handle { registry: Arc::clone(registry) }
    }

    /// Serves another device, on the server's thread with the fewest devices.
    ///
    /// Creates the device on the calling thread, so that a slow constructor does not block other
    /// devices; from then on it belongs to its server thread.
    ///
    /// # Errors
    ///
    /// The reason why the device cannot be served; [`Error::Ended`] if the server has ended.
    pub fn add<D: PciDevice>(
        &self,
        socket: Socket,
        mut factory: impl FnMut() -> D + Send + 'static,
    ) -> Result<ServedId> {
        self.add_function(socket, move || Ok(Box::new(PciFunction::new(factory())?)))
    }

    /// As [`add`](Self::add), for a function that is not derived.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_function(
        &self,
        socket: Socket,
        factory: impl FnMut() -> Result<Box<dyn Function>> + Send + 'static,
    ) -> Result<ServedId> {
        self.registry.add(socket, Box::new(factory))
    }

    /// Removes a device: the server drops its client and closes its socket. Does not wait for that.
    /// Does nothing if the device is gone already.
    pub fn remove(&self, device: ServedId) {
        self.registry.remove(device);
    }

    /// Disconnects the client of a device: the server closes the connection, as if the client had
    /// left, and accepts the next client. Does not wait for that. Does nothing if the device has no
    /// client, or is gone.
    pub fn disconnect(&self, device: ServedId) {
        self.registry.disconnect(device);
    }

    /// Ends the server; see [`Shutdown::shutdown`].
    pub fn shutdown(&self) {
        self.registry.shutdown.shutdown();
    }
}

/// The state that the handles of a server share.
#[derive(Debug)]
pub(super) struct Registry {
    queues: Mutex<Vec<Arc<ThreadQueue>>>,
    shutdown: Shutdown,
}

impl Registry {
    pub(super) fn new(queue: &Arc<ThreadQueue>, shutdown: &Shutdown) -> Self {
        Registry { queues: Mutex::new(vec![Arc::clone(queue)]), shutdown: shutdown.clone() }
    }

    /// Adds a thread.
    pub(super) fn extend(&self, queue: &Arc<ThreadQueue>) {
        self.queues().push(Arc::clone(queue));
    }

    pub(super) fn add(&self, socket: Socket, mut factory: Factory) -> Result<ServedId> {
        let function = factory()?;
        let id = ServedId::next();
        self.send(Box::new(Endpoint::new(id, socket, function, Some(factory))))?;
        Ok(id)
    }

    /// Sends a device to the thread with the fewest devices.
    fn send(&self, endpoint: Box<Endpoint>) -> Result<()> {
        let mut queues = self.queues();
        queues.retain(|queue| !queue.is_closed());
        let queue =
            queues.iter().min_by_key(|queue| queue.devices.load(Ordering::Relaxed)).cloned();
        // Without the lock: a device that no thread accepts is dropped here.
        drop(queues);
        queue.ok_or(Error::Ended)?.send(Command::Add(endpoint))
    }

    /// Redistributes the devices that no thread has started to serve.
    pub(super) fn spread(&self) {
        let queues = self.queues().clone();
        let commands: Vec<_> = queues.iter().flat_map(|queue| queue.take()).collect();
        for queue in &queues {
            queue.devices.store(0, Ordering::Relaxed);
        }
        for command in commands {
            // No thread has ended yet.
            match command {
                Command::Add(endpoint) => drop(self.send(endpoint)),
                Command::Remove(device) => self.remove(device),
                Command::Disconnect(device) => self.disconnect(device),
                // It asks a server that runs.
                Command::HandOver(successor) => drop(successor),
            }
        }
    }

    fn disconnect(&self, device: ServedId) {
        // A thread that has ended has no clients.
        self.queues().iter().for_each(|queue| drop(queue.send(Command::Disconnect(device))));
    }

    fn remove(&self, device: ServedId) {
        // The device of a thread that has ended is gone.
        self.queues().iter().for_each(|queue| drop(queue.send(Command::Remove(device))));
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Arc<ThreadQueue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command for a thread.
#[derive(Debug)]
pub(super) enum Command {
    Add(Box<Endpoint>),
    Remove(ServedId),
    Disconnect(ServedId),
    HandOver(Box<Successor>),
}

/// The command queue of one thread.
#[derive(Debug)]
pub(super) struct ThreadQueue {
    /// `None` once the thread has ended.
    commands: Mutex<Option<Vec<Command>>>,
    /// Whether there may be a command, to check without a lock.
    is_notified: AtomicBool,
    wake: EventFd,
    /// The number of devices that the thread has, or will have.
    devices: AtomicUsize,
}

impl ThreadQueue {
    pub(super) fn new() -> io::Result<Self> {
        Ok(ThreadQueue {
            commands: Mutex::new(Some(Vec::new())),
            is_notified: AtomicBool::new(false),
            wake: EventFd::new()?,
            devices: AtomicUsize::new(0),
        })
    }

    pub(super) fn send(&self, command: Command) -> Result<()> {
        let mut commands = self.commands();
        let queue = commands.as_mut().ok_or(Error::Ended)?;
        if let Command::Add(_) = command {
            self.devices.fetch_add(1, Ordering::Relaxed);
        }
        queue.push(command);
        self.is_notified.store(true, Ordering::Release);
        // Under the lock, as `take` does: otherwise a signal could outlast its command.
        self.wake.signal();
        Ok(())
    }

    /// Takes all commands since the last call.
    pub(super) fn take(&self) -> Vec<Command> {
        let mut commands = self.commands();
        self.wake.take();
        self.is_notified.store(false, Ordering::Release);
        commands.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_notified.load(Ordering::Acquire)
    }

    /// Counts a device that is gone.
    pub(super) fn remove_one(&self) {
        self.devices.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a device that the thread itself added.
    pub(super) fn add_one(&self) {
        self.devices.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the queue, once `leave` has left all devices to another program. No command can
    /// arrive meanwhile, and commands that are pending prevent it: returns `false` then.
    ///
    /// # Errors
    ///
    /// That of `leave`; the queue stays open.
    pub(super) fn close_after<E>(&self, leave: impl FnOnce() -> Result<(), E>) -> Result<bool, E> {
        let mut commands = self.commands();
        if commands.as_ref().is_some_and(|commands| !commands.is_empty()) {
            return Ok(false);
        }
        leave()?;
        *commands = None;
        Ok(true)
    }

    /// Closes the queue when the thread has ended: pending commands are dropped.
    pub(super) fn close(&self) {
        let rest = self.commands().take();
        drop(rest);
    }

    fn is_closed(&self) -> bool {
        self.commands().is_none()
    }

    /// Returns a descriptor that is readable while there is a command.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    fn commands(&self) -> MutexGuard<'_, Option<Vec<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
