//! The other end: attach to a device that somebody else serves, and drive it.
//!
//! ```no_run
//! use vfio_user::Client;
//! use vfio_user::protocol::RegionIndex;
//!
//! let client = Client::attach("/run/vm/device.sock")?;
//! let bar = client.region(RegionIndex::Bar0);
//! bar.write(0x04, 0xcafe_u32)?;
//! assert_eq!(bar.read::<u32>(0x04)?, 0xcafe);
//! # Ok::<(), vfio_user::Error>(())
//! ```

mod connection;
mod dma;
mod irq;
mod region;

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, socket};
use zerocopy::IntoBytes;

use connection::Connection;
pub use irq::IrqDetails;
pub use region::{Region, RegionDetails};

use crate::error::{Error, Result};
use crate::protocol::{Capabilities, Command, DeviceFlags, DeviceInfo, Version};

/// A device attached over a socket.
///
/// Every method sends one request, or as many as its size needs, and waits for the answers. It may
/// be used from several threads, which then take turns.
#[derive(Debug)]
pub struct Client {
    connection: Mutex<Connection>,
    server: Capabilities,
    details: DeviceDetails,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceDetails {
    /// Its kind, and whether it can be reset.
    pub flags: DeviceFlags,
    /// How many regions it has.
    pub regions: u32,
    /// How many interrupt indices it has.
    pub irqs: u32,
}

/// How to attach.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long to wait for each answer; not zero.
    pub timeout: Duration,
    /// How long to wait for a server to listen on the path; zero gives up at once.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { timeout: Duration::from_secs(5), patience: Duration::ZERO }
    }
}

impl Client {
    /// Attaches to the device that is served on a path.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if nobody listens there, and those of [`from_stream`](Self::from_stream).
    pub fn attach(path: impl AsRef<Path>) -> Result<Self> {
        Self::attach_with(path, Options::default())
    }

    /// Attaches with other timeouts.
    ///
    /// # Errors
    ///
    /// As [`attach`](Self::attach).
    pub fn attach_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let path = path.as_ref();
        let stream = connect(path, options.patience)
            .map_err(|source| Error::Socket { path: path.to_owned(), source })?;
        Self::from_stream(stream, options)
    }

    /// Attaches to the device at the other end of a socket.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] if the server's version makes no sense, and those of any request:
    /// [`Error::Refused`], [`Error::Timeout`], [`Error::Disconnected`], [`Error::Malformed`].
    pub fn from_stream(stream: UnixStream, options: Options) -> Result<Self> {
        let mut connection = Connection::new(stream, options.timeout)?;
        let server = negotiate(&mut connection)?;
        let details = device_details(&mut connection)?;
        Ok(Client { connection: Mutex::new(connection), server, details })
    }

    /// What the server can do.
    pub fn server_capabilities(&self) -> &Capabilities {
        &self.server
    }

    /// What the device is.
    pub fn details(&self) -> DeviceDetails {
        self.details
    }

    /// Resets the device (`VFIO_USER_DEVICE_RESET`). Memory stays mapped and eventfds assigned.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn reset(&self) -> Result<()> {
        self.connection().request(Command::DeviceReset, &[], &[])?;
        Ok(())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A connection that was left in the middle of a request has marked itself as broken.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let start = Instant::now();
    loop {
        match connect_now(path) {
            // Not there yet, or its backlog is full.
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

fn negotiate(connection: &mut Connection) -> Result<Capabilities> {
    let command = Command::Version;
    let proposed = Version { major: 0, minor: 0, capabilities: Capabilities::ours() };
    let answer = connection.request(command, &[&proposed.encode()], &[])?;
    let Version { major, minor, capabilities } = Version::decode(answer.payload)?;
    if (major, minor) != (0, 0) {
        let problem = format!("version {major}.{minor} was not proposed, 0.0 was");
        return Err(Error::Malformed { command, problem });
    }
    if capabilities.max_data_xfer_size == 0 {
        let problem = "a max_data_xfer_size of 0 lets nothing through".to_owned();
        return Err(Error::Malformed { command, problem });
    }
    Ok(capabilities)
}

fn device_details(connection: &mut Connection) -> Result<DeviceDetails> {
    let asked = DeviceInfo { argsz: 16.into(), ..DeviceInfo::default() };
    let answer = connection.request(Command::DeviceGetInfo, &[asked.as_bytes()], &[])?;
    let info: &DeviceInfo = answer.fixed()?;
    Ok(DeviceDetails {
        flags: DeviceFlags::from_bits_retain(info.flags.get()),
        regions: info.num_regions.get(),
        irqs: info.num_irqs.get(),
    })
}
