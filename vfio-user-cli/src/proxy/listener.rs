//! The socket that clients connect to.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;

/// A listening socket, whose file is removed with it.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// The device and the inode of the file.
    identity: (u64, u64),
}

impl Listener {
    /// Listens at a path. Replaces a socket that a dead program left there. The file appears when
    /// it listens: it is bound under another name in the same folder, and renamed.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok() && !is_stale(path) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", process::id()));
        let socket = UnixListener::bind(&name)?;
        fs::rename(&name, path).inspect_err(|_| drop(fs::remove_file(&name)))?;
        Ok(Listener { socket, path: path.to_owned(), identity: identity(path)? })
    }

    pub(super) fn socket(&self) -> &UnixListener {
        &self.socket
    }
}

/// Whether a path is a socket that nothing listens at.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = || UnixStream::connect(path).err();
    is_socket && refused().is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Another program may have replaced or removed it.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
