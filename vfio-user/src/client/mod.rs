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
mod bars;
mod calls;
mod connection;
mod dirty;
mod dma;
mod dma_buffer;
mod feature;
mod io_fds;
mod irq;
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
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, getpeername,
    getsockname, getsockopt, socket, sockopt,
};
use zerocopy::IntoBytes;

pub use crate::fds::PeerFd;
pub use bars::MappedBars;
use calls::Answer;
use connection::Connection;
pub use dirty::DirtyPages;
pub use dma::DmaMapping;
pub use dma_buffer::DmaBuffer;
pub use io_fds::Ioeventfd;
pub use irq::IrqDetails;
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

use crate::error::{Error, ReplyError, Result};
use crate::protocol::{
    self, Capabilities, Command, DeviceFlags, DeviceInfo, MigrationCapability, TwinSocket, Version,
};

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

/// The timeouts of attaching and of requests.
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// The time to wait for each answer; not zero.
    pub timeout: Duration,
    /// The time to wait for a server to listen on the path; zero tries only once.
    pub patience: Duration,
}

impl Default for AttachOptions {
    fn default() -> Self {
        AttachOptions { timeout: Duration::from_secs(5), patience: Duration::ZERO }
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
        let memory = Arc::new(MemoryMaps::default());
        let link = MessageSocket::new(stream, options.timeout)?;
        let connection = Connection::new(link, options.timeout, Arc::clone(&memory));
        let (server, twin) = negotiate(&connection)?;
        let twin = twin.map(|socket| MessageSocket::new(socket, options.timeout)).transpose()?;
        let details = device_details(&connection)?;
        let (connection, service) = (Arc::new(connection), Service::new(twin)?);
        Ok(Client { connection, memory, service, server, details })
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

/// Negotiates a version. Returns the capabilities of the server, and the socket for its requests,
/// if there is a separate one.
fn negotiate(connection: &Connection) -> Result<(Capabilities, Option<UnixStream>)> {
    let twin_socket = Some(TwinSocket { supported: true, fd_index: None });
    let migration = Some(MigrationCapability::default());
    let capabilities =
        Capabilities { twin_socket, migration, write_multiple: true, ..Capabilities::ours() };
    let proposed = Version { major: 0, minor: 0, capabilities };
    let answer = connection.request(Command::Version, &[&proposed.encode()], &[]);
    let mut answer = answer.map_err(|error| match error {
        Error::Refused { errno: protocol::Errno::EBUSY, .. } => Error::DeviceInUse,
        error => error,
    })?;
    let Version { major, minor, capabilities } = Version::decode(&answer.payload)?;
    if (major, minor) != (0, 0) {
        return Err(answer.malformed(ReplyError::Version { major, minor }));
    }
    if capabilities.max_data_xfer_size == 0 {
        return Err(answer.malformed(ReplyError::NoTransfer));
    }
    let twin = twin_socket_of(&capabilities, &mut answer)?;
    Ok((capabilities, twin))
}

fn twin_socket_of(server: &Capabilities, answer: &mut Answer) -> Result<Option<UnixStream>> {
    let Some(TwinSocket { supported: true, fd_index }) = server.twin_socket else {
        return Ok(None);
    };
    let (index, count) = (fd_index.and_then(|index| usize::try_from(index).ok()), answer.fds.len());
    let Some(index) = index.filter(|index| *index < count) else {
        let index = fd_index.map(u64::from);
        return Err(answer.malformed(ReplyError::NoDescriptor { index, count }));
    };
    let twin = answer.fds.take(index).and_then(|fd| fd.into_known(is_connected_stream));
    twin.map(|twin| Some(twin.into())).ok_or_else(|| answer.malformed(ReplyError::TwinSocket))
}

/// Returns whether a server's descriptor is a connected stream socket: a thread could wait for ever
/// on anything else.
fn is_connected_stream(fd: BorrowedFd<'_>) -> bool {
    let is_unix = getsockname::<SockaddrStorage>(fd.as_raw_fd())
        .is_ok_and(|name| name.family() == Some(AddressFamily::Unix));
    let is_stream = getsockopt(&fd, sockopt::SockType).is_ok_and(|kind| kind == SockType::Stream);
    let listens = getsockopt(&fd, sockopt::AcceptConn).unwrap_or(true);
    let is_connected = getpeername::<SockaddrStorage>(fd.as_raw_fd()).is_ok();
    is_unix && is_stream && !listens && is_connected
}

/// The maximum number of regions and interrupt indices that is plausible.
const MAX_REGIONS: u32 = 256;
const MAX_IRQS: u32 = 64;

fn device_details(connection: &Connection) -> Result<DeviceDetails> {
    let wanted = DeviceInfo { argsz: 16.into(), ..DeviceInfo::default() };
    let answer = connection.request(Command::DeviceGetInfo, &[wanted.as_bytes()], &[])?;
    let info: &DeviceInfo = answer.fixed()?;
    let (regions, irqs) = (info.num_regions.get(), info.num_irqs.get());
    if regions > MAX_REGIONS || irqs > MAX_IRQS {
        let most = (MAX_REGIONS, MAX_IRQS);
        return Err(answer.malformed(ReplyError::Device { regions, irqs, most }));
    }
    let flags = DeviceFlags::from_bits_retain(info.flags.get());
    Ok(DeviceDetails { flags, regions, irqs })
}
