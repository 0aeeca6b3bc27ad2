//! A new version of a program takes the devices of the running one over, with their clients.

mod adopt;
mod give;
mod successors;

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
#[cfg(feature = "cli")]
use crate::listening::SocketPath;
use crate::listening::{self, SocketFile};
use crate::monitor::Monitor;
use crate::parcel::FdNumber;
use crate::server::records::DeviceRecord;
use crate::server::registry::ThreadQueue;
use crate::server::socket::Socket;
use crate::take_over::Peer;
pub(super) use adopt::adopt;
pub(super) use give::{Attempt, Shared, hand_over, wait_for_start};
use successors::Watching;

/// The socket at which a program hands its devices over to its successor.
///
/// A program that starts while another one has this socket takes the devices of that over, with
/// their clients: connections, memory, eventfds and state. It then serves them, and the other one
/// ends. The clients and their guests notice a pause: the time in which the device stops, and its
/// state is passed on, of two seconds at most. If anything fails before that, the other program
/// continues as if nothing had happened.
///
/// The programs need not be the same version: the new one loads the state as after a migration,
/// and refuses it if it cannot. The file of the socket is for the user of the program alone.
///
/// ```no_run
/// use vfio_user::{Device, PciDevice, Server, TakeOver};
///
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Disk {}
/// # impl Device for Disk { type Event = (); }
/// let take_over = TakeOver::at("/run/disk.upgrade")?;
/// let socket = take_over.bind("/run/vm/disk.sock")?;
/// let server = Server::new()?;
/// server.add(socket, Disk::default)?;
/// server.take_over(take_over).run()?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Debug)]
pub struct TakeOver {
    file: SocketFile,
    role: Role,
    /// The connection to the other program, which ends when this is closed.
    predecessor: Option<Peer>,
}

/// All that a program passes on.
#[derive(Debug, Serialize, Deserialize)]
struct Records {
    /// The socket at which successors ask.
    take_over: FdNumber,
    devices: Vec<DeviceRecord>,
}

/// What a program is to the other one.
#[derive(Debug)]
enum Role {
    /// It takes over.
    Successor(Peer),
    /// It serves, and waits for a successor.
    Serving(Watching),
    /// Its successor serves.
    Succeeded,
}

impl TakeOver {
    /// Connects to the program that has this socket; if there is none, creates the socket.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`]; [`Error::TakeOver`] if the other program belongs to another user.
    pub fn at(path: impl AsRef<Path>) -> Result<Self> {
        let path = std::path::absolute(path.as_ref())?;
        let (file, role) = match UnixStream::connect(&path) {
            Ok(stream) => (SocketFile::of_other(&path)?, Role::Successor(Peer::new(stream)?)),
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                let (listener, file) = listening::listen_on(&path, Some(listening::PRIVATE))?;
                (file, Role::Serving(Watching::new(listener)?))
            }
            Err(source) => return Err(Error::Socket { path, source }),
        };
        Ok(TakeOver { file, role, predecessor: None })
    }

    /// Returns whether there is a program to take over from.
    pub fn has_predecessor(&self) -> bool {
        matches!(self.role, Role::Successor(_))
    }

    /// Returns the path of the socket, whose file a program removes that ends at once.
    #[cfg(feature = "cli")]
    pub(crate) fn file(&self) -> &SocketPath {
        self.file.path()
    }

    /// Returns whether another program has taken over.
    pub(super) fn is_succeeded(&self) -> bool {
        matches!(self.role, Role::Succeeded)
    }

    /// Listens on a path, as [`Socket::bind`]; if another program serves the device there, takes
    /// its socket.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`].
    pub fn bind(&self, path: impl AsRef<Path>) -> Result<Socket> {
        match self.role {
            Role::Successor(_) => Ok(Socket::awaited(path.as_ref())?),
            _ => Socket::bind(path),
        }
    }

    /// As [`bind`](Self::bind), with these permissions of the file, as
    /// [`Socket::bind_with_mode`]. A file that is taken over keeps its permissions.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`].
    pub fn bind_with_mode(&self, path: impl AsRef<Path>, mode: u32) -> Result<Socket> {
        match self.role {
            Role::Successor(_) => Ok(Socket::awaited(path.as_ref())?),
            _ => Socket::bind_with_mode(path, mode),
        }
    }

    /// Listens on a path for tools, as [`Monitor::bind`]; if another program serves the device,
    /// takes the socket of its monitor, if that has this path. Counters start at zero, and
    /// connections of tools end.
    ///
    /// # Errors
    ///
    /// Those of [`Monitor::bind`].
    pub fn bind_monitor(&self, path: impl AsRef<Path>) -> Result<Monitor> {
        match self.role {
            Role::Successor(_) => Monitor::bind_or_await(path.as_ref()),
            _ => Monitor::bind(path),
        }
    }

    /// Lets the other program end.
    pub(super) fn dismiss_predecessor(&mut self) {
        self.predecessor = None;
    }

    /// Waits for successors from now on, for the thread with this queue.
    ///
    /// # Errors
    ///
    /// If the system starts no thread.
    pub(super) fn watch(&mut self, queue: &Arc<ThreadQueue>) -> Result<()> {
        match &mut self.role {
            Role::Serving(watching) => Ok(watching.start(queue)?),
            Role::Successor(_) | Role::Succeeded => Ok(()),
        }
    }
}
