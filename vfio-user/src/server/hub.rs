//! Devices that come and go while a server runs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device_id::DeviceId;
use super::port::{Factory, Port};
use super::shutdown::Shutdown;
use super::socket::Socket;
use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::eventfd::EventFd;
use crate::function::{Function, Hosted};

/// Adds devices to a running [`Server`](super::Server) and removes them, from any thread and from
/// hooks.
///
/// While one exists, the server's threads wait for it as well as for their clients, which costs a
/// system call a request more; and a server without devices waits for the next one.
#[derive(Clone, Debug)]
pub struct Handle {
    hub: Arc<Hub>,
}

impl Handle {
    pub(super) fn new(hub: &Arc<Hub>) -> Self {
        Handle { hub: Arc::clone(hub) }
    }

    /// Serves another device, on the server's thread that has the fewest.
    ///
    /// The device is made here, on the calling thread, so that a slow one holds up no other; from
    /// then on it belongs to its own.
    ///
    /// # Errors
    ///
    /// What keeps the device from being served; [`Error::Ended`] if the server has ended.
    pub fn add<D: PciDevice>(
        &self,
        socket: Socket,
        mut factory: impl FnMut() -> D + Send + 'static,
    ) -> Result<DeviceId> {
        self.add_function(socket, move || Ok(Box::new(Hosted::new(factory())?)))
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
    ) -> Result<DeviceId> {
        self.hub.add(socket, Box::new(factory))
    }

    /// Removes a device: its client is dropped, its socket closed. Does not wait for that. A device
    /// that is gone already is no mistake.
    pub fn remove(&self, device: DeviceId) {
        self.hub.remove(device);
    }

    /// Disconnects the client of a device: the server closes the connection, as if the client had
    /// left, and takes the next client. Does not wait for that. A device that has no client, or that
    /// is gone, is no mistake.
    pub fn disconnect(&self, device: DeviceId) {
        self.hub.disconnect(device);
    }

    /// Ends the server; see [`Shutdown::shutdown`].
    pub fn shutdown(&self) {
        self.hub.shutdown.shutdown();
    }
}

/// What the handles of a server share.
#[derive(Debug)]
pub(super) struct Hub {
    links: Mutex<Vec<Arc<Link>>>,
    shutdown: Shutdown,
}

impl Hub {
    pub(super) fn new(link: &Arc<Link>, shutdown: &Shutdown) -> Self {
        Hub { links: Mutex::new(vec![Arc::clone(link)]), shutdown: shutdown.clone() }
    }

    /// Takes in another thread.
    pub(super) fn extend(&self, link: &Arc<Link>) {
        self.links().push(Arc::clone(link));
    }

    pub(super) fn add(&self, socket: Socket, mut factory: Factory) -> Result<DeviceId> {
        let function = factory()?;
        let id = DeviceId::next();
        self.send(Box::new(Port::new(id, socket, function, Some(factory))))?;
        Ok(id)
    }

    /// Gives a device to the thread that has the fewest.
    fn send(&self, port: Box<Port>) -> Result<()> {
        let mut links = self.links();
        links.retain(|link| !link.is_closed());
        let link = links.iter().min_by_key(|link| link.devices.load(Ordering::Relaxed)).cloned();
        // Without the lock: a device that no thread takes is dropped here.
        drop(links);
        link.ok_or(Error::Ended)?.send(Command::Add(port))
    }

    /// Deals out, once more, what no thread has begun with.
    pub(super) fn spread(&self) {
        let links = self.links().clone();
        let commands: Vec<_> = links.iter().flat_map(|link| link.take()).collect();
        for link in &links {
            link.devices.store(0, Ordering::Relaxed);
        }
        for command in commands {
            // No thread has ended yet.
            match command {
                Command::Add(port) => drop(self.send(port)),
                Command::Remove(device) => self.remove(device),
                Command::Disconnect(device) => self.disconnect(device),
            }
        }
    }

    fn disconnect(&self, device: DeviceId) {
        // A thread that has ended has no clients.
        self.links().iter().for_each(|link| drop(link.send(Command::Disconnect(device))));
    }

    fn remove(&self, device: DeviceId) {
        // Of a thread that has ended, it is gone.
        self.links().iter().for_each(|link| drop(link.send(Command::Remove(device))));
    }

    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread is told.
#[derive(Debug)]
pub(super) enum Command {
    Add(Box<Port>),
    Remove(DeviceId),
    Disconnect(DeviceId),
}

/// The way to one thread.
#[derive(Debug)]
pub(super) struct Link {
    /// `None` once the thread has ended.
    commands: Mutex<Option<Vec<Command>>>,
    /// Whether there may be any, for a look without a lock.
    told: AtomicBool,
    wake: EventFd,
    /// How many devices the thread has, or is about to have.
    devices: AtomicUsize,
}

impl Link {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Link {
            commands: Mutex::new(Some(Vec::new())),
            told: AtomicBool::new(false),
            wake: EventFd::new()?,
            devices: AtomicUsize::new(0),
        })
    }

    fn send(&self, command: Command) -> Result<()> {
        let mut commands = self.commands();
        let queue = commands.as_mut().ok_or(Error::Ended)?;
        if let Command::Add(_) = command {
            self.devices.fetch_add(1, Ordering::Relaxed);
        }
        queue.push(command);
        self.told.store(true, Ordering::Release);
        // Under the lock, as `take` does: otherwise a signal could outlast its command.
        self.wake.signal();
        Ok(())
    }

    /// Everything that it has been told since the last time.
    pub(super) fn take(&self) -> Vec<Command> {
        let mut commands = self.commands();
        self.wake.take();
        self.told.store(false, Ordering::Release);
        commands.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.told.load(Ordering::Acquire)
    }

    /// A device is gone.
    pub(super) fn remove_one(&self) {
        self.devices.fetch_sub(1, Ordering::Relaxed);
    }

    /// A device was added by the thread itself.
    pub(super) fn add_one(&self) {
        self.devices.fetch_add(1, Ordering::Relaxed);
    }

    /// The thread has ended: what it was told and has not done is dropped.
    pub(super) fn close(&self) {
        let rest = self.commands().take();
        drop(rest);
    }

    fn is_closed(&self) -> bool {
        self.commands().is_none()
    }

    /// Readable while there is a command.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    fn commands(&self) -> MutexGuard<'_, Option<Vec<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
