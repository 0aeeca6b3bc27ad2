//! Where clients come from.

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

/// How long a connection may take to negotiate unless the server is configured otherwise.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the clients of a device come from: a listening socket, or one connection.
#[derive(Debug)]
pub struct Socket {
    source: Source,
    once: bool,
    write_multiple: bool,
    any_memory_file: bool,
    negotiation_timeout: Duration,
}

#[derive(Debug)]
enum Source {
    /// One after the other, from a listening socket.
    Listening { listener: UnixListener, file: Option<SocketFile> },
    /// One only.
    Connected(Option<UnixStream>),
}

/// What came of looking for a client.
pub(super) enum Accepted {
    Client(UnixStream),
    /// Nobody is there now.
    Nobody,
    /// Somebody is there, but the process may open no more descriptors.
    Exhausted,
    /// Nobody will come any more.
    Over,
}

impl Socket {
    /// Listens on a path. A socket that a dead server left there is replaced; it is removed when
    /// the device is.
    ///
    /// # Errors
    ///
    /// [`SocketInUse`](Error::SocketInUse) if a live server listens there,
    /// [`NotASocket`](Error::NotASocket) if something else is in the way,
    /// [`Socket`](Error::Socket) for what the system refuses.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let at = |source| Error::Socket { path: path.to_owned(), source };
        // A stale socket may be replaced by somebody else meanwhile: one server at a time.
        let _turn = take_turn(path);
        if fs::symlink_metadata(path).is_ok() {
            remove_stale(path)?;
        }
        let listener = listen_at(path).map_err(at)?;
        let file = SocketFile::new(path).map_err(at)?;
        Self::listening(listener, Some(file))
    }

    /// Accepts clients from a socket that listens already.
    ///
    /// # Errors
    ///
    /// When the system does not let it be used without waiting.
    pub fn from_listener(listener: UnixListener) -> Result<Self> {
        Self::listening(listener, None)
    }

    fn listening(listener: UnixListener, file: Option<SocketFile>) -> Result<Self> {
        // A client may be gone again between the wait and `accept`.
        listener.set_nonblocking(true)?;
        Ok(Socket {
            source: Source::Listening { listener, file },
            once: false,
            write_multiple: false,
            any_memory_file: false,
            negotiation_timeout: NEGOTIATION_TIMEOUT,
        })
    }

    /// The one client at the other end of `stream`.
    ///
    /// # Errors
    ///
    /// When the system does not let it be used.
    pub fn from_stream(stream: UnixStream) -> Result<Self> {
        // Where waiting would be wrong, every call says so.
        stream.set_nonblocking(false)?;
        Ok(Socket {
            source: Source::Connected(Some(stream)),
            once: true,
            write_multiple: false,
            any_memory_file: false,
            negotiation_timeout: NEGOTIATION_TIMEOUT,
        })
    }

    /// A UNIX socket of which it is not known whether it listens or is connected.
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

    /// Lets the device go when its first client has left.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Lets clients know that they may send several writes in one message
    /// (`VFIO_USER_REGION_WRITE_MULTI`), which are done in any case. They are not told unless this is
    /// called, as it changes what versions of QEMU before 11.0 do otherwise.
    #[must_use]
    pub fn write_multiple(mut self) -> Self {
        self.write_multiple = true;
        self
    }

    /// Accepts every descriptor as memory that can be mapped, or read and written at a position: files of
    /// a disk, devices, `/proc/PID/mem`. Without this, only what lives in memory is accepted: descriptors
    /// of `memfd_create(2)`, tmpfs and hugetlbfs. A client can make an access to a file of a file
    /// system in user space (FUSE) hang, and with it the thread that serves this device and all others
    /// on that thread; so call this for clients that can be trusted that far.
    #[must_use]
    pub fn any_memory_file(mut self) -> Self {
        self.any_memory_file = true;
        self
    }

    /// Drops connections that negotiate no version within `timeout`, which is 5 seconds unless this is
    /// called. A connection that the server was given, and is the only one, may take any time.
    #[must_use]
    pub fn negotiation_timeout(mut self, timeout: Duration) -> Self {
        self.negotiation_timeout = timeout;
        self
    }

    /// How long a connection may take to negotiate; `None` if no other connection can come.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.listener().map(|_| self.negotiation_timeout)
    }

    /// Whether clients are told that they may send several writes in one message.
    pub(super) fn takes_write_multiple(&self) -> bool {
        self.write_multiple
    }

    /// Whether every descriptor is accepted as memory.
    pub(super) fn takes_any_memory_file(&self) -> bool {
        self.any_memory_file
    }

    pub(super) fn is_for_one_client(&self) -> bool {
        self.once
    }

    /// Where it listens, if it has made the file.
    pub(crate) fn path(&self) -> Option<&SocketPath> {
        match &self.source {
            Source::Listening { file: Some(SocketFile(path)), .. } => Some(path),
            _ => None,
        }
    }

    /// The socket to wait for clients at.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Listening { listener, .. } => Some(listener.as_fd()),
            Source::Connected(_) => None,
        }
    }

    /// Looks for a client.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used any more.
    pub(super) fn accept(&mut self) -> Result<Accepted> {
        let listener = match &mut self.source {
            Source::Connected(stream) => {
                return Ok(stream.take().map_or(Accepted::Over, Accepted::Client));
            }
            Source::Listening { listener, .. } => listener,
        };
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                Ok(Accepted::Client(stream))
            }
            Err(error) if is_transient(&error) => Ok(Accepted::Nobody),
            Err(error) if is_exhaustion(&error) => Ok(Accepted::Exhausted),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a UNIX stream socket listens, or is connected.
fn listens(socket: &OwnedFd) -> io::Result<bool> {
    let kind = getsockopt(socket, sockopt::SockType)?;
    let name: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    if kind != SockType::Stream || name.family() != Some(AddressFamily::Unix) {
        return Err(io::Error::other("not a UNIX stream socket"));
    }
    Ok(getsockopt(socket, sockopt::AcceptConn)?)
}

/// Failures of a single client, not of the listening socket.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

/// Failures that pass when somebody else lets go of something.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}

/// Listens at a path where nothing is. The socket appears there when it listens: a client that sees it
/// can connect.
fn listen_at(path: &Path) -> io::Result<UnixListener> {
    // Too long a path is an error here, not with the temporary name.
    UnixAddr::new(path)?;
    let Some(temporary) = temporary_name(path) else { return UnixListener::bind(path) };
    let listener = match UnixListener::bind(&temporary) {
        // Left by a server that was killed in between; its process id is ours by chance.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            fs::remove_file(&temporary)?;
            UnixListener::bind(&temporary)?
        }
        bound => bound?,
    };
    match rename_to_free(&temporary, path) {
        Ok(()) => Ok(listener),
        Err(error) => {
            // Nothing can be done about a second failure.
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Renames a file; replaces nothing, where the file system knows how.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EINVAL | Errno::ENOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

/// A name in the same folder, if there is one that is short enough.
fn temporary_name(path: &Path) -> Option<PathBuf> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let name = format!(".{:x}.{number:x}", std::process::id());
    let temporary = path.with_file_name(name);
    UnixAddr::new(&temporary).is_ok().then_some(temporary)
}

/// Waits for other servers that are about to listen in the same folder. One that holds its lock for
/// long is something else, and is not waited for.
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

/// Removes a socket that nobody listens on.
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

/// Where a listening socket is.
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
            // Nothing can be done about a failure, and a leftover file is replaced the next time.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
