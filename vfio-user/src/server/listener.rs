//! Where clients come from.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, connect,
    getsockname, getsockopt, socket, sockopt,
};

use tracing::warn;

use super::Shutdown;
use crate::device::Function;
use crate::error::{Error, Result};

/// Where clients come from.
#[derive(Debug)]
pub(super) enum Source {
    /// One after the other, from a listening socket.
    Listening { listener: UnixListener, _file: Option<SocketFile> },
    /// One only.
    Connected(Option<UnixStream>),
}

impl Source {
    pub(super) fn bind(path: &Path) -> Result<Self> {
        let at = |source| Error::Socket { path: path.to_owned(), source };
        // Between `bind` and `listen` a socket looks stale, and a stale one may be replaced by
        // somebody else meanwhile: one server at a time.
        let _turn = take_turn(path);
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                UnixListener::bind(path)
            }
            bound => bound,
        };
        let listener = listener.map_err(at)?;
        let file = SocketFile::new(path).map_err(at)?;
        Self::listening(listener, Some(file))
    }

    pub(super) fn listener(listener: UnixListener) -> Result<Self> {
        Self::listening(listener, None)
    }

    fn listening(listener: UnixListener, file: Option<SocketFile>) -> Result<Self> {
        // A client may be gone again between `poll` and `accept`.
        listener.set_nonblocking(true)?;
        Ok(Source::Listening { listener, _file: file })
    }

    pub(super) fn of(socket: OwnedFd) -> Result<Self> {
        let fd = socket.as_raw_fd();
        let at = |source| Error::Descriptor { fd, source };
        if listens(&socket).map_err(at)? {
            return Self::listener(socket.into());
        }
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false).map_err(at)?;
        Ok(Source::Connected(Some(stream)))
    }

    /// Waits for a client, and lets the function do its own work meanwhile; `None` when no more
    /// clients will be served.
    pub(super) fn next_client(
        &mut self,
        shutdown: &Shutdown,
        function: &mut dyn Function,
    ) -> Result<Option<UnixStream>> {
        let listener = match self {
            Source::Connected(stream) => return Ok(stream.take()),
            Source::Listening { listener, .. } => listener,
        };
        while !shutdown.is_requested() {
            if function.has_work() || wait(listener, shutdown, function)? {
                function.work();
            }
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Some(stream));
                }
                Err(error) if is_transient(&error) => {}
                Err(error) if is_exhaustion(&error) => pause(shutdown),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// Waits for a client, for a shutdown or for the function's work; whether it was the last.
fn wait(
    listener: &UnixListener,
    shutdown: &Shutdown,
    function: &dyn Function,
) -> nix::Result<bool> {
    let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds = [watch(listener.as_fd()), watch(shutdown.wake()), watch(shutdown.wake())];
    if let Some(wake) = function.wake() {
        fds[2] = watch(wake);
    }
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) => Ok(fds[2].any().unwrap_or(false)),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
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
fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}

/// Lets some time pass, but no shutdown.
fn pause(shutdown: &Shutdown) {
    warn!("a client has to wait: this process may open no more descriptors");
    let mut fds = [PollFd::new(shutdown.wake(), PollFlags::POLLIN)];
    // A signal may cut the pause short, to no harm.
    let _ = poll(&mut fds, PollTimeout::from(500u16));
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

/// The file of a listening socket, removed with it unless somebody has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(SocketFile { identity: identity(&path)?, path })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
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
