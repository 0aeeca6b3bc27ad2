//! Where clients come from.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, connect,
    getsockname, getsockopt, socket, sockopt,
};

use tracing::warn;

use super::Shutdown;
use crate::error::{Error, Result};
use crate::sys;

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

    pub(super) fn inherited(fd: RawFd) -> Result<Self> {
        let at = |source| Error::Descriptor { fd, source };
        let socket = sys::adopt_inherited(fd).map_err(at)?;
        match listens(&socket) {
            Ok(true) => Self::listener(socket.into()),
            Ok(false) => {
                let stream = UnixStream::from(socket);
                stream.set_nonblocking(false).map_err(at)?;
                Ok(Source::Connected(Some(stream)))
            }
            Err(error) => {
                // It was not meant for us, and may be standard error: leave it open.
                let _ = socket.into_raw_fd();
                Err(at(error))
            }
        }
    }

    /// Waits for a client; `None` when no more will be served.
    pub(super) fn next_client(&mut self, shutdown: &Shutdown) -> Result<Option<UnixStream>> {
        let listener = match self {
            Source::Connected(stream) => return Ok(stream.take()),
            Source::Listening { listener, .. } => listener,
        };
        loop {
            if shutdown.is_requested() {
                return Ok(None);
            }
            let mut fds = [
                PollFd::new(listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(shutdown.wake(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Some(stream));
                }
                Err(error) if is_transient(&error) => {}
                Err(error) if is_exhaustion(&error) => pause(shutdown)?,
                Err(error) => return Err(error.into()),
            }
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
fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}

/// Lets some time pass, but no shutdown.
fn pause(shutdown: &Shutdown) -> Result<()> {
    warn!("a client has to wait: this process may open no more descriptors");
    let mut fds = [PollFd::new(shutdown.wake(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(500u16))?;
    Ok(())
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
