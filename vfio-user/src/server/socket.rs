//! Sources of clients.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, connect,
    getsockname, getsockopt, socket, sockopt,
};

use crate::error::{Error, Result};
use crate::fds::CloseQueue;

/// The default time in which a connection must negotiate.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The source of a device's clients: a listening socket, or one connection.
#[derive(Debug)]
pub struct Socket {
    source: ClientSource,
    once: bool,
    write_multiple: bool,
    any_memory_file: bool,
    negotiation_timeout: Duration,
    /// Closes the descriptors that clients have sent, of one client after the other.
    close_queue: CloseQueue,
}

#[derive(Debug)]
enum ClientSource {
    /// Accepts one client after the other from a listening socket.
    Listening { listener: UnixListener, file: Option<SocketFile> },
    /// Has a single client.
    Connected(Option<UnixStream>),
}

/// The result of an accept.
pub(super) enum Accepted {
    Client(UnixStream),
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
        let path = path.as_ref();
        let at = |source| Error::Socket { path: path.to_owned(), source };
        // Another server may replace a stale socket meanwhile: one server at a time.
        let _turn = take_turn(path);
        if fs::symlink_metadata(path).is_ok() {
            remove_stale(path)?;
        }
        let listener = listen_at(path).map_err(at)?;
        let file = SocketFile::new(path).map_err(at)?;
        Self::listening(listener, Some(file))
    }

    /// Accepts clients from a socket that is listening already.
    ///
    /// # Errors
    ///
    /// An error if the socket cannot be made non-blocking.
    pub fn from_listener(listener: UnixListener) -> Result<Self> {
        Self::listening(listener, None)
    }

    fn listening(listener: UnixListener, file: Option<SocketFile>) -> Result<Self> {
        // A client may disconnect between the wait and `accept`.
        listener.set_nonblocking(true)?;
        Ok(Socket {
            source: ClientSource::Listening { listener, file },
            once: false,
            write_multiple: false,
            any_memory_file: false,
            negotiation_timeout: NEGOTIATION_TIMEOUT,
            close_queue: CloseQueue::default(),
        })
    }

    /// Serves the one client at the other end of `stream`.
    ///
    /// # Errors
    ///
    /// An error if the system refuses to use the socket.
    pub fn from_stream(stream: UnixStream) -> Result<Self> {
        // Calls that must not wait say so themselves.
        stream.set_nonblocking(false)?;
        Ok(Socket {
            source: ClientSource::Connected(Some(stream)),
            once: true,
            write_multiple: false,
            any_memory_file: false,
            negotiation_timeout: NEGOTIATION_TIMEOUT,
            close_queue: CloseQueue::default(),
        })
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
        self.any_memory_file = true;
        self
    }

    /// Sets the time in which a connection must negotiate a version; later it is dropped. The
    /// default is 5 seconds. A single connection that the server was given has no limit.
    #[must_use]
    pub fn negotiation_timeout(mut self, timeout: Duration) -> Self {
        self.negotiation_timeout = timeout;
        self
    }

    /// Returns the time in which a connection must negotiate; `None` if no other connection can
    /// arrive.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.listener().map(|_| self.negotiation_timeout)
    }

    /// Returns the queue on which descriptors of clients are closed.
    pub(super) fn close_queue(&self) -> &CloseQueue {
        &self.close_queue
    }

    /// Returns whether multiple writes are announced to clients.
    pub(super) fn takes_write_multiple(&self) -> bool {
        self.write_multiple
    }

    /// Returns whether every descriptor is accepted as memory.
    pub(super) fn takes_any_memory_file(&self) -> bool {
        self.any_memory_file
    }

    pub(super) fn is_for_one_client(&self) -> bool {
        self.once
    }

    /// Returns the path where it listens, if it has created the file.
    pub(crate) fn path(&self) -> Option<&SocketPath> {
        match &self.source {
            ClientSource::Listening { file: Some(SocketFile(path)), .. } => Some(path),
            _ => None,
        }
    }

    /// Returns the socket to wait for clients at.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            ClientSource::Listening { listener, .. } => Some(listener.as_fd()),
            ClientSource::Connected(_) => None,
        }
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
            ClientSource::Listening { listener, .. } => listener,
        };
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                Ok(Accepted::Client(stream))
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

/// Listens at a path that does not exist. The socket appears there only when it listens, so a
/// client that sees it can connect.
fn listen_at(path: &Path) -> io::Result<UnixListener> {
    // Report a path that is too long here, and not with the temporary name.
    UnixAddr::new(path)?;
    let Some(temporary) = temporary_name(path) else { return UnixListener::bind(path) };
    let listener = match UnixListener::bind(&temporary) {
        // A server that was killed in between left the file; its process id happens to equal ours.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            fs::remove_file(&temporary)?;
            UnixListener::bind(&temporary)?
        }
        bound => bound?,
    };
    match rename_to_free(&temporary, path) {
        Ok(()) => Ok(listener),
        Err(error) => {
            // A second failure cannot be handled.
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Renames a file, without replacing another one if the file system supports that.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EINVAL | Errno::ENOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

/// Returns a name in the same folder, if a short enough one exists.
fn temporary_name(path: &Path) -> Option<PathBuf> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let name = format!(".{:x}.{number:x}", std::process::id());
    let temporary = path.with_file_name(name);
    UnixAddr::new(&temporary).is_ok().then_some(temporary)
}

/// Waits for other servers that are about to listen in the same folder. Does not wait for a process
/// that holds the lock for long, which is something else.
fn take_turn(path: &Path) -> Option<Flock<File>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    for _ in 0..100 {
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(turn) => return Some(turn),
            Err((back, Errno::EWOULDBLOCK)) => folder = back,
            Err(_) => return None,
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Removes a socket without a listening server.
fn remove_stale(path: &Path) -> Result<()> {
    let at = |source| Error::Socket { path: path.to_owned(), source };
    if !fs::symlink_metadata(path).map_err(at)?.file_type().is_socket() {
        return Err(Error::NotASocket(path.to_owned()));
    }
    match probe(path) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path).map_err(at),
        Err(Errno::ENOENT) => Ok(()),
        // A full backlog (EAGAIN) has a live server behind it.
        Ok(()) | Err(Errno::EAGAIN) => Err(Error::SocketInUse(path.to_owned())),
        Err(errno) => Err(at(errno.into())),
    }
}

/// Connects without waiting.
fn probe(path: &Path) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let probe: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(probe.as_raw_fd(), &UnixAddr::new(path)?)
}

/// The file of a listening socket, removed with it.
#[derive(Debug)]
struct SocketFile(SocketPath);

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(SocketFile(SocketPath { identity: identity(&path)?, path }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// The path of a listening socket.
#[derive(Clone, Debug)]
pub(crate) struct SocketPath {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketPath {
    pub(crate) fn display(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Removes the file, unless another one has replaced it.
    pub(crate) fn remove(&self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // A failure cannot be handled, and a leftover file is replaced the next time.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
