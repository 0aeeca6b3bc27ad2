//! Sources of clients.

mod hand_over;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockType, SockaddrLike, SockaddrStorage, getsockname, getsockopt, sockopt,
};
use nix::sys::stat::Mode;

use crate::dma;
use crate::error::{Error, Result};
use crate::fds::{CloseQueue, PeerSocket};
use crate::limits::Limits;
use crate::listening::{self, SocketFile, SocketPath};
use crate::monitor::{Desk, Monitor};
use crate::transport::Receiver;

/// The source of a device's clients: a listening socket, or one connection.
#[derive(Debug)]
pub struct Socket {
    source: ClientSource,
    once: bool,
    write_multiple: bool,
    memory_files: dma::Accepted,
    limits: Limits,
    /// The users whose connections are accepted; `None` for all.
    uids: Option<Vec<u32>>,
    /// Closes the descriptors that clients have sent, of one client after the other.
    close_queue: CloseQueue,
    monitor: Option<Monitor>,
}

#[derive(Debug)]
enum ClientSource {
    /// Accepts one client after the other from a listening socket.
    Listening { listener: UnixListener, file: Option<SocketFile> },
    /// Has a single client.
    Connected(Option<UnixStream>),
    /// Gets the listening socket of another program, which has this path.
    Awaited(SocketFile),
}

/// The result of an accept.
pub(super) enum Accepted {
    Client(UnixStream),
    /// The user with this id may not connect.
    Forbidden(u32),
    /// No client is waiting now.
    NoClient,
    /// A client is waiting, but the process may open no more descriptors.
    Exhausted,
    /// No more clients will come.
    Closed,
}

impl Socket {
    /// Listens on a path. Replaces a socket that a dead server left there; the file is removed when
    /// the device is.
    ///
    /// # Errors
    ///
    /// [`SocketInUse`](Error::SocketInUse) if a live server listens there,
    /// [`NotASocket`](Error::NotASocket) if the path is another kind of file,
    /// [`Socket`](Error::Socket) if the system refuses.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        let (listener, file) = listening::listen_on(path.as_ref(), None)?;
        Ok(Self::listening(listener, Some(file)))
    }

    /// As [`bind`](Self::bind), with these permissions of the file, whatever the umask is: `0o660`
    /// for the user and the group of this process. Bits above `0o777` are ignored.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_with_mode(path: impl AsRef<Path>, mode: u32) -> Result<Self> {
        let mode = Mode::from_bits_truncate(mode & 0o777);
        let (listener, file) = listening::listen_on(path.as_ref(), Some(mode))?;
        Ok(Self::listening(listener, Some(file)))
    }

    /// Accepts clients from a socket that is listening already.
    ///
    /// # Errors
    ///
    /// An error if the socket cannot be made non-blocking.
    pub fn from_listener(listener: UnixListener) -> Result<Self> {
        // A client may disconnect between the wait and `accept`.
        listener.set_nonblocking(true)?;
        Ok(Self::listening(listener, None))
    }

    fn listening(listener: UnixListener, file: Option<SocketFile>) -> Self {
        Self::new(ClientSource::Listening { listener, file })
    }

    fn new(source: ClientSource) -> Self {
        Socket {
            source,
            once: false,
            write_multiple: false,
            memory_files: dma::Accepted::default(),
            limits: Limits::DEFAULT,
            uids: None,
            close_queue: CloseQueue::default(),
            monitor: None,
        }
    }

    /// Serves the one client at the other end of `stream`.
    ///
    /// # Errors
    ///
    /// An error if the system refuses to use the socket.
    pub fn from_stream(stream: UnixStream) -> Result<Self> {
        // Calls that must not wait say so themselves.
        stream.set_nonblocking(false)?;
        Ok(Self::new(ClientSource::Connected(Some(stream))).once())
    }

    /// Uses a UNIX socket that may be listening or connected.
    ///
    /// # Errors
    ///
    /// [`Descriptor`](Error::Descriptor) if it is not a UNIX stream socket.
    pub fn from_fd(socket: OwnedFd) -> Result<Self> {
        let fd = socket.as_raw_fd();
        let listening = listens(&socket).map_err(|source| Error::Descriptor { fd, source })?;
        if listening {
            Self::from_listener(socket.into())
        } else {
            Self::from_stream(socket.into())
        }
    }

    /// Removes the device when its first client has left.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Announces to clients that they may send several writes in one message
    /// (`VFIO_USER_REGION_WRITE_MULTI`). The server executes such messages in any case, but does
    /// not announce them by default, because the announcement changes the behaviour of QEMU before
    /// 11.0.
    #[must_use]
    pub fn write_multiple(mut self) -> Self {
        self.write_multiple = true;
        self
    }

    /// Accepts every descriptor as memory that can be mapped, or read and written at a position:
    /// files on a disk, devices, `/proc/PID/mem`. By default, only files that live in memory are
    /// accepted: descriptors of `memfd_create(2)`, tmpfs and hugetlbfs. A client can make an access
    /// to a file of a file system in user space (FUSE) hang, and with it the thread that serves
    /// this device and all others on that thread. Call this only for clients that are trusted that
    /// far.
    #[must_use]
    pub fn any_memory_file(mut self) -> Self {
        self.memory_files = dma::Accepted::Any;
        self
    }

    /// Accepts the descriptors of [`any_memory_file`](Self::any_memory_file), also of files that
    /// are shorter than their region, which are refused otherwise. An access beyond the end of a
    /// file fails; if the file is mapped, all later accesses to the region fail as well.
    #[must_use]
    pub fn short_memory_files(mut self) -> Self {
        self.memory_files = dma::Accepted::OfAnySize;
        self
    }

    /// Sets the limits of the device and its clients.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.within_protocol();
        self
    }

    /// Closes connections of other users than these, also of root: the effective user of the
    /// process that has connected, as the kernel knows it (`SO_PEERCRED`). By default the
    /// permissions of the socket's file decide alone. A connection that the server was given is not
    /// checked.
    #[must_use]
    pub fn allow_uids(mut self, uids: impl Into<Vec<u32>>) -> Self {
        self.uids = Some(uids.into());
        self
    }

    /// Lets tools look at the device while it runs, at a socket of their own.
    ///
    /// Without a monitor nothing is counted. With one every access takes longer, and every request
    /// of the client one more system call.
    #[must_use]
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = Some(monitor);
        self
    }

    pub(super) fn monitor_mut(&mut self) -> Option<&mut Monitor> {
        self.monitor.as_mut()
    }

    /// Returns where the monitor asks the device's thread.
    pub(super) fn desk(&self) -> Option<&Desk> {
        self.monitor.as_ref().map(Monitor::desk)
    }

    /// Returns the time in which a connection must negotiate; `None` if no other connection can
    /// arrive.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.listener().map(|_| self.limits.negotiation)
    }

    /// Returns the limits within the protocol.
    pub(super) fn current_limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns what receives the messages of a client.
    pub(super) fn receiver(&self) -> Receiver {
        Receiver::new(self.limits.message_size(), &self.close_queue)
    }

    /// Returns whether multiple writes are announced to clients.
    pub(super) fn takes_write_multiple(&self) -> bool {
        self.write_multiple
    }

    /// Returns which descriptors are accepted as memory.
    pub(super) fn memory_files(&self) -> dma::Accepted {
        self.memory_files
    }

    pub(super) fn is_for_one_client(&self) -> bool {
        self.once
    }

    /// Returns the path where it listens, or is going to listen, unless it was given a socket.
    pub(crate) fn path(&self) -> Option<&SocketPath> {
        self.file().map(SocketFile::path)
    }

    fn file(&self) -> Option<&SocketFile> {
        match &self.source {
            ClientSource::Listening { file, .. } => file.as_ref(),
            ClientSource::Awaited(file) => Some(file),
            ClientSource::Connected(_) => None,
        }
    }

    /// Returns the socket to wait for clients at.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            ClientSource::Listening { listener, .. } => Some(listener.as_fd()),
            ClientSource::Connected(_) | ClientSource::Awaited(_) => None,
        }
    }

    /// Returns the user at the other end, if it may not connect.
    fn forbidden_user(&self, stream: &UnixStream) -> Result<Option<u32>> {
        let Some(allowed) = &self.uids else { return Ok(None) };
        let peer = getsockopt(stream, sockopt::PeerCredentials).map_err(Error::system)?;
        Ok((!allowed.contains(&peer.uid())).then_some(peer.uid()))
    }

    /// Accepts a client, if one is waiting.
    ///
    /// # Errors
    ///
    /// An error if the socket is not usable any more.
    pub(super) fn accept(&mut self) -> Result<Accepted> {
        let listener = match &mut self.source {
            ClientSource::Connected(stream) => {
                return Ok(stream.take().map_or(Accepted::Closed, Accepted::Client));
            }
            ClientSource::Awaited(file) => {
                let path = file.path().as_path().to_owned();
                let source = io::Error::other("no other program has handed this socket over");
                return Err(Error::Socket { path, source });
            }
            ClientSource::Listening { listener, .. } => listener,
        };
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                let Some(uid) = self.forbidden_user(&stream)? else {
                    return Ok(Accepted::Client(stream));
                };
                // What it has sent may take long to close.
                drop(PeerSocket::new(stream, &self.close_queue));
                Ok(Accepted::Forbidden(uid))
            }
            Err(error) if is_transient(&error) => Ok(Accepted::NoClient),
            Err(error) if is_exhaustion(&error) => Ok(Accepted::Exhausted),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns whether a UNIX stream socket listens, and is not connected.
fn listens(socket: &OwnedFd) -> io::Result<bool> {
    let kind = getsockopt(socket, sockopt::SockType)?;
    let name: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    if kind != SockType::Stream || name.family() != Some(AddressFamily::Unix) {
        return Err(io::Error::other("not a UNIX stream socket"));
    }
    Ok(getsockopt(socket, sockopt::AcceptConn)?)
}

/// Returns whether an error concerns a single client, and not the listening socket.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

/// Returns whether an error passes when other code frees resources.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}
