//! A server of devices for clients over UNIX sockets.

mod arrivals;
mod budget;
mod buffers;
mod deferred;
mod end;
mod endpoint;
mod error;
mod event_log;
mod foreign_loop;
mod guard;
mod handlers;
mod negotiated;
mod pending_request;
mod poller;
mod reactor;
mod records;
mod registrations;
mod registry;
mod request;
mod reverse_requests;
mod schedule;
mod served_id;
mod serving;
mod session;
mod shutdown;
mod slack;
mod socket;
mod spin;
mod successor;
mod take_over;
mod twin;
mod watchdog;

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::limits::Limits;
use crate::monitor::Monitor;
pub use end::ServerEnd;
use reactor::Reactor;
pub use registry::Handle;
use registry::Registry;
pub use served_id::ServedId;
pub use shutdown::Shutdown;
pub use socket::Socket;
pub use take_over::TakeOver;

/// A server of devices, each with one client at a time.
///
/// A device lives as long as the server. When a client leaves, its memory and eventfds are removed;
/// configuration space, registers and private state stay for the next one. While a client is
/// attached the server refuses another one at once: it answers its `VFIO_USER_VERSION` with `EBUSY`
/// and closes the connection. A connection that negotiates no version within
/// [`Limits::negotiation`] is closed; it never reaches the device.
///
/// # One device
///
/// ```no_run
/// use vfio_user::{Device, PciDevice, Server};
///
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Trivial {}
/// # impl Device for Trivial { type Event = (); }
/// let server = Server::bind("/run/vm/trivial.sock")?;
/// let shutdown = server.shutdown_handle();
/// let thread = std::thread::spawn(move || server.serve(Trivial::default));
/// // ...
/// shutdown.shutdown();
/// thread.join().unwrap()?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
///
/// # Many devices
///
/// The devices share one thread, or [several](Self::run_on). No client blocks another one's device,
/// whatever it sends or does not send: a device's turn ends with the first message that takes long.
/// Only a slow hook blocks the devices of its thread. A hook that panics ends the session of its
/// own device, which is replaced by a new one; the others continue.
///
/// ```no_run
/// use vfio_user::{Device, PciDevice, Server, Socket};
///
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Disk {}
/// # impl Device for Disk { type Event = (); }
/// # type Nic = Disk;
/// let server = Server::new()?;
/// server.add(Socket::bind("/run/vm/disk.sock")?, Disk::default)?;
/// let handle = server.handle();
/// std::thread::spawn(move || -> vfio_user::Result<()> {
///     let nic = handle.add(Socket::bind("/run/vm/nic.sock")?, Nic::default)?;
///     // ...
///     handle.remove(nic);
///     Ok(())
/// });
/// server.run()?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
///
/// # In a foreign event loop
///
/// [`poll_fd`](Self::poll_fd) is readable while there is work, and [`process`](Self::process) does
/// the work without waiting:
///
/// ```
/// use std::os::unix::net::UnixStream;
///
/// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
/// use vfio_user::client::{Client, AttachOptions};
/// use vfio_user::{Device, PciDevice, Server, Socket};
///
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # #[bar(0: mem32, size = 0x1000)]
/// # struct Trivial { #[reg(0)] scratch: u32 }
/// # impl Device for Trivial { type Event = (); }
/// let (ours, theirs) = UnixStream::pair()?;
/// let mut server = Server::new()?;
/// server.add(Socket::from_stream(ours)?, Trivial::default)?;
/// let client = std::thread::spawn(move || {
///     Client::from_stream(theirs, AttachOptions::default()).map(drop)
/// });
/// // Once, to begin; then whenever the descriptor is readable.
/// while server.process()? {
///     let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
///     poll(&mut fds, PollTimeout::NONE).map_err(std::io::Error::from)?;
/// }
/// client.join().unwrap()?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    reactor: Reactor,
    registry: Arc<Registry>,
    shutdown: Shutdown,
    /// The socket of the device that `serve` will receive.
    socket: Option<Socket>,
    /// Whether an option was set for a socket that does not exist.
    has_unused_option: bool,
    /// The maximum time that its threads poll before they sleep.
    spin: Duration,
}

impl Server {
    /// Creates a server without a socket; [`add`](Self::add) gives it devices.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn new() -> Result<Self> {
        let shutdown = Shutdown::new()?;
        let mut reactor = Reactor::new(&shutdown)?;
        let registry = Arc::new(Registry::new(reactor.queue(), &shutdown));
        reactor.follow(&registry, 1);
        Ok(Server {
            reactor,
            registry,
            shutdown,
            socket: None,
            has_unused_option: false,
            spin: Duration::ZERO,
        })
    }

    fn at(socket: Socket) -> Result<Self> {
        Ok(Server { socket: Some(socket), ..Self::new()? })
    }

    /// Creates a server for one device, at a path; see [`Socket::bind`].
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`], and when the process may open no more descriptors.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        Self::at(Socket::bind(path)?)
    }

    /// Creates a server for one device, whose clients come from a socket that is listening already.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn from_listener(listener: UnixListener) -> Result<Self> {
        Self::at(Socket::from_listener(listener)?)
    }

    /// Creates a server for one device and the one client at the other end of `stream`.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn from_stream(stream: UnixStream) -> Result<Self> {
        Self::at(Socket::from_stream(stream)?)
    }

    /// Creates a server for one device at a UNIX socket that may be listening or connected.
    ///
    /// # Errors
    ///
    /// [`Descriptor`](Error::Descriptor) if it is not a UNIX stream socket.
    pub fn from_fd(socket: OwnedFd) -> Result<Self> {
        Self::at(Socket::from_fd(socket)?)
    }

    /// Makes [`serve`](Self::serve) return when the first client has left.
    #[must_use]
    pub fn once(self) -> Self {
        self.set(Socket::once)
    }

    /// Sets the limits of the device and its clients; see [`Socket::limits`].
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.set(|socket| socket.limits(limits))
    }

    /// Accepts every descriptor as memory, and not only files that live in memory; see
    /// [`Socket::any_memory_file`].
    #[must_use]
    pub fn any_memory_file(self) -> Self {
        self.set(Socket::any_memory_file)
    }

    /// Announces to clients that they may send several writes in one message; see
    /// [`Socket::write_multiple`].
    #[must_use]
    pub fn write_multiple(self) -> Self {
        self.set(Socket::write_multiple)
    }

    /// Lets tools look at the device while it runs; see [`Socket::monitor`].
    #[must_use]
    pub fn monitor(self, monitor: Monitor) -> Self {
        self.set(|socket| socket.monitor(monitor))
    }

    /// Makes its threads poll for work for up to `limit` before they sleep. This saves the time to
    /// wake up a thread, and uses a processor meanwhile. A thread with little work polls less and
    /// less, and stops polling; it polls more again when there is more work. By default threads
    /// sleep at once. [`process`](Self::process) never waits.
    #[must_use]
    pub fn spin(mut self, limit: Duration) -> Self {
        self.reactor.spin(limit);
        self.spin = limit;
        self
    }

    /// Takes the devices of another program over, if one runs, and hands them over to the next one
    /// later. Both have the same devices, in the order in which they were added. When its successor
    /// serves them, the server returns [`ServerEnd::HandedOver`].
    ///
    /// The devices are served on one thread: [`run_on`](Self::run_on) refuses more. A request of a
    /// client costs one more system call.
    #[must_use]
    pub fn take_over(mut self, take_over: TakeOver) -> Self {
        self.reactor.take_over(take_over);
        self
    }

    /// Returns a handle by which another thread ends the server.
    pub fn shutdown_handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Returns a handle by which other threads, and hooks, add devices and remove them.
    pub fn handle(&self) -> Handle {
        Handle::new(&self.registry)
    }

    /// Adds a device; see [`Handle::add`].
    ///
    /// # Errors
    ///
    /// The reason why the device cannot be served.
    pub fn add<D: PciDevice>(
        &self,
        socket: Socket,
        factory: impl FnMut() -> D + Send + 'static,
    ) -> Result<ServedId> {
        self.handle().add(socket, factory)
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
        self.handle().add_function(socket, factory)
    }

    /// Sets an option of its own socket.
    fn set(mut self, set: impl FnOnce(Socket) -> Socket) -> Self {
        self.has_unused_option |= self.socket.is_none();
        self.socket = self.socket.map(set);
        self
    }

    /// Checks that all its options are used.
    fn check(&self) -> Result<()> {
        match self.socket {
            Some(_) => Err(Error::NoDevice),
            None if self.has_unused_option => Err(Error::NoSocket),
            None => Ok(()),
        }
    }
}
