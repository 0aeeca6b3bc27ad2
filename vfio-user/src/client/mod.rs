//! A client: attaches to a device that a server serves, and drives it.
//!
//! ```no_run
//! use vfio_user::client::Client;
//! use vfio_user::protocol::RegionIndex;
//!
//! let client = Client::attach("/run/vm/device.sock")?;
//! let bar = client.region(RegionIndex::Bar0);
//! bar.write(0x04, 0xcafe_u32)?;
//! assert_eq!(bar.read::<u32>(0x04)?, 0xcafe);
//! # Ok::<(), vfio_user::Error>(())
//! ```
//!
//! [`PciView`] sets up a PCI function as a driver expects it, with its interrupts and memory.
//! [`Pending`] is a request whose answer is awaited later.
//!
//! # Threads
//!
//! A [`Client`] may be used from any number of threads at the same time; their requests do not wait
//! for each other, and the server may answer in any order. The client needs no thread of its own:
//! one of the threads that wait for an answer receives for all of them.
//!
//! Only memory that the device accesses by messages needs a thread. It starts with the first
//! [`Client::dma_map_memory`], serves the server's requests while no call waits for an answer, and
//! ends with the client:
//!
//! ```no_run
//! # use std::sync::{Arc, Mutex};
//! # use vfio_user::client::Client;
//! # use vfio_user::protocol::DmaMapFlags;
//! # let client = Client::attach("/run/vm/device.sock")?;
//! let memory = Arc::new(Mutex::new(vec![0; 0x1000]));
//! let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
//! client.dma_map_memory(0x10_0000, 0x1000, memory.clone(), rights)?;
//! // ... the device writes ...
//! assert_eq!(memory.lock().unwrap()[0], 1);
//! # Ok::<(), vfio_user::Error>(())
//! ```
//!
//! # Trust
//!
//! The server may be hostile: at most, the client loses the connection. A late answer is dropped,
//! and the connection continues.

mod answer;
mod attaching;
mod bars;
mod calls;
mod connection;
mod dirty;
mod dma;
mod dma_buffer;
mod feature;
mod io_fds;
mod irq;
mod limits;
mod map;
mod memory;
mod message_socket;
mod migration;
mod mover;
mod pci;
mod pending;
mod region;
mod region_details;
mod service;
mod window;
mod write_multi;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, socket};

pub use crate::fds::PeerFd;
use attaching::Attaching;
pub use bars::MappedBars;
use connection::Connection;
pub use dirty::DirtyPages;
pub use dma::DmaMapping;
pub use dma_buffer::DmaBuffer;
pub use io_fds::Ioeventfd;
pub use irq::IrqDetails;
pub use limits::ClientLimits;
use limits::MapBudget;
pub use map::RegionMap;
pub use memory::ClientMemory;
use memory::MemoryMaps;
use message_socket::MessageSocket;
pub use mover::{
    Migration, MigrationError, MigrationErrorKind, MigrationProgress, MigrationReport,
    MigrationSide, MigrationStep, NotResumed, RunningDevice,
};
pub use pci::{BarDetails, ConfigCapability, ExtendedCapability, PciHeader, PciView, Vectors};
pub use pending::Pending;
pub use region::ClientRegion;
pub use region_details::RegionDetails;
use service::Service;

use crate::error::{Error, Result};
use crate::protocol::{Capabilities, Command, DeviceFlags};

/// A device that is attached over a socket.
///
/// Every method sends one request, or as many as its size requires, and waits for the answers. The
/// client may be used from several threads at the same time.
#[derive(Debug)]
pub struct Client {
    connection: Arc<Connection>,
    memory: Arc<MemoryMaps>,
    service: Service,
    server: Capabilities,
    details: DeviceDetails,
    /// The maximum data of a message.
    message_data: usize,
    maps: MapBudget,
}

/// The properties of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceDetails {
    /// Its kind, and whether it can be reset.
    pub flags: DeviceFlags,
    /// The number of regions.
    pub regions: u32,
    /// The number of interrupt indices.
    pub irqs: u32,
}

/// The timeouts of attaching and of requests, and what the server may use.
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// The time to wait for each answer; not zero.
    pub timeout: Duration,
    /// The time to wait for a server to listen on the path; zero tries only once.
    pub patience: Duration,
    /// What the server may use, and how long it may negotiate.
    pub limits: ClientLimits,
}

impl Default for AttachOptions {
    fn default() -> Self {
        AttachOptions {
            timeout: Duration::from_secs(5),
            patience: Duration::ZERO,
            limits: ClientLimits::default(),
        }
    }
}

impl Client {
    /// Attaches to the device at a path.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if no server listens there, and those of
    /// [`from_stream`](Self::from_stream).
    pub fn attach(path: impl AsRef<Path>) -> Result<Self> {
        Self::attach_with(path, AttachOptions::default())
    }

    /// Attaches with other timeouts.
    ///
    /// # Errors
    ///
    /// As [`attach`](Self::attach).
    pub fn attach_with(path: impl AsRef<Path>, options: AttachOptions) -> Result<Self> {
        let path = path.as_ref();
        let stream = connect(path, options.patience)
            .map_err(|source| Error::Socket { path: path.to_owned(), source })?;
        Self::from_stream(stream, options)
    }

    /// Attaches to the device at the other end of a socket.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceInUse`] if another client is attached, [`Error::Version`] if the server's
    /// version is invalid, and those of any request: [`Error::Refused`], [`Error::Timeout`],
    /// [`Error::Disconnected`], [`Error::Malformed`].
    pub fn from_stream(stream: UnixStream, options: AttachOptions) -> Result<Self> {
        let AttachOptions { timeout, limits, .. } = options;
        let limits = limits.within_protocol();
        let memory = Arc::new(MemoryMaps::default());
        let link = MessageSocket::new(stream, timeout)?;
        let connection = Connection::new(link, timeout, &limits, Arc::clone(&memory));
        let attaching = Attaching::new(&connection, &limits);
        let (server, twin) = attaching.negotiate()?;
        let twin = twin.map(|socket| MessageSocket::new(socket, timeout)).transpose()?;
        let details = attaching.device_details()?;
        let ClientLimits { message_data, .. } = limits;
        let (connection, service) = (Arc::new(connection), Service::new(twin, message_data)?);
        let maps = MapBudget::new(&limits);
        Ok(Client { connection, memory, service, server, details, message_data, maps })
    }

    /// Attaches to the device at the other end of a socket, given as a descriptor.
    ///
    /// # Errors
    ///
    /// As [`from_stream`](Self::from_stream).
    pub fn from_fd(socket: OwnedFd, options: AttachOptions) -> Result<Self> {
        Self::from_stream(socket.into(), options)
    }

    /// Returns the capabilities of the server.
    pub fn server_capabilities(&self) -> &Capabilities {
        &self.server
    }

    /// Returns the properties of the device.
    pub fn details(&self) -> DeviceDetails {
        self.details
    }

    /// Resets the device (`VFIO_USER_DEVICE_RESET`). Memory stays mapped and eventfds assigned.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn reset(&self) -> Result<()> {
        self.connection.request(Command::DeviceReset, &[], &[])?;
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.shut_down();
        self.service.stop();
    }
}

fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let start = Instant::now();
    loop {
        match connect_now(path) {
            // The socket does not exist yet, or its backlog is full.
            Err(Errno::ENOENT | Errno::ECONNREFUSED | Errno::EAGAIN)
                if start.elapsed() < patience =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            connected => return Ok(connected?),
        }
    }
}

/// Connects without waiting for a place in the backlog.
fn connect_now(path: &Path) -> nix::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket.into())
}
