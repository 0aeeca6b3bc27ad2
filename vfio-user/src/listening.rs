//! Listening sockets, and their files.

mod socket_file;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat};

use crate::error::{Error, Result};
pub(crate) use socket_file::{SocketFile, SocketPath};

/// The permissions of the files of sockets for the user of this process alone.
pub(crate) const PRIVATE: Mode = Mode::from_bits_truncate(0o600);

/// A UNIX socket that listens on a path, for programs that stand between a client and a server.
///
/// A [`Server`](crate::Server) and a [`Monitor`](crate::monitor::Monitor) have their own. The file
/// is removed with this, unless another one has replaced it.
#[derive(Debug)]
pub struct Listener {
    /// Nonblocking.
    socket: UnixListener,
    _file: SocketFile,
}

impl Listener {
    /// Listens on a path. Replaces a socket that a dead program left there. The file appears when
    /// it listens.
    ///
    /// # Errors
    ///
    /// [`SocketInUse`](Error::SocketInUse) if a live program listens there,
    /// [`NotASocket`](Error::NotASocket) if the path is another kind of file,
    /// [`Socket`](Error::Socket) if the system refuses.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        let (socket, file) = listen_on(path.as_ref(), None)?;
        Ok(Listener { socket, _file: file })
    }

    /// Accepts a connection; `None` if there is none, or it was closed meanwhile.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`, such as EMFILE; the next call may succeed.
    pub fn accept(&self) -> io::Result<Option<UnixStream>> {
        match self.socket.accept() {
            Ok((stream, _)) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted => Ok(None),
                _ => Err(error),
            },
        }
    }
}

/// Readable while there is a connection to accept.
impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Listens on a path. Replaces a socket that a dead server left there. The file has exactly the
/// permissions `mode`, or those that the umask leaves.
///
/// # Errors
///
/// [`SocketInUse`](Error::SocketInUse) if a live server listens there,
/// [`NotASocket`](Error::NotASocket) if the path is another kind of file,
/// [`Socket`](Error::Socket) if the system refuses.
pub(crate) fn listen_on(path: &Path, mode: Option<Mode>) -> Result<(UnixListener, SocketFile)> {
    let at = |source| Error::Socket { path: path.to_owned(), source };
    // Another server may replace a stale socket meanwhile: one server at a time.
    let _turn = take_turn(path);
    if fs::symlink_metadata(path).is_ok() {
        remove_stale(path)?;
    }
    let listener = listen_at(path, mode).map_err(at)?;
    let file = SocketFile::new(path).map_err(at)?;
    // A client may disconnect between the wait and `accept`.
    listener.set_nonblocking(true)?;
    Ok((listener, file))
}

/// Listens at a path that does not exist. The socket appears there only when it listens, so a
/// client that sees it can connect.
fn listen_at(path: &Path, mode: Option<Mode>) -> io::Result<UnixListener> {
    // Report a path that is too long here, and not with the temporary name.
    UnixAddr::new(path)?;
    let Some(temporary) = temporary_name(path) else { return new_listener(path, mode) };
    let listener = match new_listener(&temporary, mode) {
        // A server that was killed in between left the file; its process id happens to equal ours.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            fs::remove_file(&temporary)?;
            new_listener(&temporary, mode)?
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

/// Creates a listening socket. Its file never has more permissions than `mode`: Linux gives it
/// those of the socket, less those of the umask. It has all of them before a client can connect.
fn new_listener(path: &Path, mode: Option<Mode>) -> io::Result<UnixListener> {
    let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    if let Some(mode) = mode {
        fchmod(&listener, mode)?;
    }
    bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    if let Some(mode) = mode {
        fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?;
    }
    listen(&listener, Backlog::MAXALLOWABLE)?;
    Ok(listener.into())
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
