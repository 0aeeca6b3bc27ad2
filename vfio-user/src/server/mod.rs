//! Serving a device to clients over a UNIX socket.

mod handlers;
mod listener;
mod poller;
mod session;
mod shutdown;

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tracing::{error, info, warn};

use crate::device::{Function, Hosted, PciDevice};
use crate::error::Result;
use listener::Source;
use session::{Session, SessionError};
pub use shutdown::Shutdown;

/// Serves one device, to one client at a time.
///
/// The device lives as long as the server. A client that leaves takes its memory and its eventfds
/// with it; configuration space, registers and private state stay for the next one, which waits in
/// the socket's backlog meanwhile.
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
#[derive(Debug)]
pub struct Server {
    source: Source,
    shutdown: Shutdown,
    once: bool,
}

/// What comes after a client.
enum Next {
    /// Another one.
    Client,
    /// Another one, and a new device for it.
    Panicked,
    /// Nothing.
    End(Result<()>),
}

impl Server {
    /// Listens on a path. A socket that a dead server left there is replaced; it is removed when
    /// the server is dropped.
    ///
    /// # Errors
    ///
    /// [`SocketInUse`](crate::Error::SocketInUse) if a live server listens there,
    /// [`NotASocket`](crate::Error::NotASocket) if something else is in the way,
    /// [`Socket`](crate::Error::Socket) for what the system refuses.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        Self::new(Source::bind(path.as_ref())?)
    }

    /// Accepts clients from a socket that listens already.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn from_listener(listener: UnixListener) -> Result<Self> {
        Self::new(Source::listener(listener)?)
    }

    /// Serves the one client at the other end of `stream`.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn from_stream(stream: UnixStream) -> Result<Self> {
        stream.set_nonblocking(false)?;
        Self::new(Source::Connected(Some(stream)))
    }

    /// Serves a UNIX socket of which it is not known whether it listens or is connected.
    ///
    /// # Errors
    ///
    /// [`Descriptor`](crate::Error::Descriptor) if it is not a UNIX stream socket.
    pub fn from_fd(socket: OwnedFd) -> Result<Self> {
        Self::new(Source::of(socket)?)
    }

    fn new(source: Source) -> Result<Self> {
        Ok(Server { source, shutdown: Shutdown::new()?, once: false })
    }

    /// Returns from [`serve`](Self::serve) when the first client has left.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// A handle by which another thread ends the server.
    pub fn shutdown_handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves the device that `factory` makes until [`Shutdown::shutdown`] is called; over a given
    /// stream, or [`once`](Self::once), until the client has left.
    ///
    /// `factory` runs again if a hook panics: that ends the client's session, and the next client
    /// gets a new device.
    ///
    /// # Errors
    ///
    /// What keeps the device from being served, or the socket from accepting clients. What a
    /// client does wrong is logged.
    pub fn serve<D: PciDevice>(self, mut factory: impl FnMut() -> D) -> Result<()> {
        self.serve_functions(move || Ok(Box::new(Hosted::new(factory())?)))
    }

    /// As [`serve`](Self::serve), for a function that is not derived.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub fn serve_functions(
        mut self,
        mut factory: impl FnMut() -> Result<Box<dyn Function>>,
    ) -> Result<()> {
        let mut function = factory()?;
        loop {
            let served = catch_unwind(AssertUnwindSafe(|| self.serve_next(&mut *function)));
            match served {
                Ok(Next::Client) => {}
                Ok(Next::End(result)) => return result,
                Ok(Next::Panicked) | Err(_) => {
                    error!("a hook panicked; the device is made anew");
                    // The old one first: it may hold what the new one needs.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(function)));
                    function = factory()?;
                }
            }
        }
    }

    /// Waits for a client and serves it to its end.
    fn serve_next(&mut self, function: &mut dyn Function) -> Next {
        match self.source.next_client(&self.shutdown, function) {
            Ok(Some(client)) => match self.attend(client, function) {
                _ if self.once => Next::End(Ok(())),
                true => Next::Client,
                false => Next::Panicked,
            },
            Ok(None) => Next::End(Ok(())),
            Err(error) => Next::End(Err(error)),
        }
    }

    /// Serves one client to its end and cleans up after it. Whether the device is still good.
    fn attend(&self, client: UnixStream, function: &mut dyn Function) -> bool {
        info!("client connected");
        let ended = Session::new(client, function, &self.shutdown).and_then(Session::run);
        let good = !matches!(ended, Err(SessionError::Panicked));
        match ended {
            Ok(()) => info!("client left"),
            Err(error) => warn!(%error, "client dropped"),
        }
        function.interrupts().disconnect();
        if function.dma().unmap(0, u64::MAX).is_err() {
            warn!("memory of the client could not be unmapped");
        }
        if good {
            function.disconnected();
        }
        good
    }
}
