//! Looking into a running device, through a second socket.
//!
//! A [`Monitor`] listens at a path of its own, for the user of this process alone. A tool sends a
//! [`Request`], one line of JSON, and receives a [`Message`], one line of JSON; [`Client`] does so,
//! as `vfu inspect` and `vfu top` do.
//!
//! Tools are served by a thread of the monitor. The device's thread counts accesses and keeps the
//! last ones in memory that the other thread reads without a lock. What only the device's thread
//! knows, such as the values of registers, it answers between the client's requests: 64 items at a
//! time, and for at most a twentieth of its time. It never waits for the monitor's thread, nor does
//! that wait for a tool.
//!
//! ```
//! use std::time::Duration;
//! use vfio_user::monitor::{self, Monitor, Request, Reply};
//! use vfio_user::{Device, PciDevice, Server};
//!
//! #[derive(Default, PciDevice)]
//! #[pci(vendor = 0x1234, device = 0xcafe)]
//! #[bar(0: mem32, size = 0x1000)]
//! struct Card {
//!     #[reg(0, rc, reset = 5)]
//!     events: u32,
//! }
//! # impl Device for Card { type Event = (); }
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("monitor.sock");
//! let server = Server::bind(dir.path().join("card.sock"))?.monitor(Monitor::bind(&path)?);
//! let shutdown = server.shutdown_handle();
//! let thread = std::thread::spawn(move || server.serve(Card::default));
//!
//! let mut monitor = monitor::Client::connect(&path, Duration::from_secs(5))?;
//! let reply = monitor.ask(&Request::Register { name: "events".to_owned() })?;
//! assert!(matches!(reply, Reply::Register(events) if events.value == 5));
//! shutdown.shutdown();
//! thread.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod desk;
mod hook_times;
mod names;
mod numbering;
mod observer;
mod peer;
mod question;
mod replies;
mod ring;
mod watcher;
mod wire;

use std::fmt;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use client::{Client, ClientError};
pub(crate) use desk::Desk;
pub(crate) use hook_times::Hooked;
pub use observer::Observer;
pub(crate) use observer::{Elsewhere, Operation};
pub(crate) use question::PART;
pub use question::{Answer, Question, Value};
pub use wire::{
    AccessCount, Counters, DeviceInfo, HookTime, LastAccess, Mapping, Message, NamedValue, Page,
    Refused, Reply, Request, RunningHook, UnmodelledPlace, VERSION, Vector,
};

use crate::error::{Error, Result};
use crate::listening::{self, SocketFile};
use desk::Asker;
use replies::{Observed, Replies};
use watcher::Watcher;

/// A socket at which tools look into a running device; see
/// [`Socket::monitor`](crate::Socket::monitor).
#[derive(Debug)]
pub struct Monitor {
    /// `None` while another program has it.
    listener: Option<Arc<UnixListener>>,
    /// Whether its thread was started.
    is_running: bool,
    file: SocketFile,
    desk: Arc<Desk>,
    device: Arc<Mutex<Option<Observed>>>,
    allows_pokes: bool,
}

impl Monitor {
    /// Listens on a path, with permissions for the user of this process alone. Replaces a socket
    /// that a dead process left there; the file is removed with the device.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`](crate::Socket::bind), and when the process may open no more
    /// descriptors.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        let (listener, file) = listening::listen_on(path.as_ref(), Some(listening::PRIVATE))?;
        Self::new(Some(Arc::new(listener)), file)
    }

    /// Listens on a path as [`bind`](Self::bind), or waits for the socket of the program that
    /// listens there.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind) but [`SocketInUse`](Error::SocketInUse).
    pub(crate) fn bind_or_await(path: &Path) -> Result<Self> {
        match Self::bind(path) {
            Err(Error::SocketInUse(_)) => Self::new(None, SocketFile::of_other(path)?),
            bound => bound,
        }
    }

    fn new(listener: Option<Arc<UnixListener>>, file: SocketFile) -> Result<Self> {
        Ok(Monitor {
            listener,
            is_running: false,
            file,
            desk: Arc::new(Desk::new()?),
            device: Arc::default(),
            allows_pokes: false,
        })
    }

    /// Lets tools change registers, as [`PciFunction::poke`](crate::function::PciFunction::poke)
    /// does: no hook runs, and no policy applies.
    #[must_use]
    pub fn allow_pokes(mut self) -> Self {
        self.allows_pokes = true;
        self
    }

    /// Returns the path where it listens.
    pub fn path(&self) -> &Path {
        self.file.path().as_path()
    }

    /// Returns the file, which is removed when this is dropped.
    pub(crate) fn file(&self) -> &SocketFile {
        &self.file
    }

    /// Returns its socket, unless another program still has it.
    pub(crate) fn listener(&self) -> Option<&Arc<UnixListener>> {
        self.listener.as_ref()
    }

    /// Listens at the socket of another program, once it [starts](Self::start).
    ///
    /// # Errors
    ///
    /// If the socket cannot be made non-blocking.
    pub(crate) fn adopt(&mut self, listener: UnixListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        self.listener = Some(Arc::new(listener));
        Ok(())
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Looks at this device from now on; at none if there is no observer.
    pub(crate) fn attach(
        &mut self,
        observer: Option<Arc<Observer>>,
        hook: Option<Arc<dyn fmt::Display + Send + Sync>>,
    ) {
        let device = observer.map(|observer| Observed { observer, hook });
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = device;
        self.start();
    }

    /// Starts the thread, if it has a socket.
    pub(crate) fn start(&mut self) {
        let Some(listener) = self.listener.clone().filter(|_| !self.is_running) else { return };
        self.is_running = true;
        let replies = Replies {
            device: Arc::clone(&self.device),
            asker: Asker::new(Arc::clone(&self.desk)),
            allows_pokes: self.allows_pokes,
        };
        let watcher = Watcher::new(listener, replies);
        let thread = thread::Builder::new().name("vfio-user monitor".to_owned());
        if let Err(error) = thread.spawn(move || watcher.run()) {
            tracing::error!(%error, "the monitor cannot start");
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.desk.close();
    }
}
