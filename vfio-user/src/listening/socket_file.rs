//! The file of a listening socket, and which process removes it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file of a listening socket. It is removed with this while this process owns it.
#[derive(Debug)]
pub(crate) struct SocketFile(SocketPath);

impl SocketFile {
    /// Owns the file of a socket that exists.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let file = Self::of_other(path)?;
        file.own()?;
        Ok(file)
    }

    /// Returns the file of a socket of another program.
    ///
    /// # Errors
    ///
    /// If the path is relative, and the current folder is not known.
    pub(crate) fn of_other(path: &Path) -> io::Result<Self> {
        let (path, identity) = (std::path::absolute(path)?, Mutex::default());
        Ok(SocketFile(SocketPath(Arc::new(State { path, identity }))))
    }

    pub(crate) fn path(&self) -> &SocketPath {
        &self.0
    }

    /// Owns the file, which another program has created.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub(crate) fn own(&self) -> io::Result<()> {
        let mut owned = self.0.owned();
        *owned = Some(identity(self.0.as_path())?);
        Ok(())
    }

    /// Leaves the file to another program, which listens there.
    pub(crate) fn leave(&self) {
        *self.0.owned() = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// The path of a listening socket. It knows whether this process owns the file.
#[derive(Clone, Debug)]
pub(crate) struct SocketPath(Arc<State>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    /// The file that this process owns. Locked while it is removed: another program must not
    /// receive it meanwhile.
    identity: Mutex<Option<Identity>>,
}

/// A device and an inode.
type Identity = (u64, u64);

impl SocketPath {
    pub(crate) fn as_path(&self) -> &Path {
        &self.0.path
    }

    /// Removes the file if this process owns it, unless another one has replaced it.
    pub(crate) fn remove(&self) {
        let mut owned = self.owned();
        let Some(ours) = owned.take() else { return };
        if identity(self.as_path()).is_ok_and(|found| found == ours) {
            // A failure cannot be handled, and a leftover file is replaced the next time.
            let _ = fs::remove_file(self.as_path());
        }
    }

    fn owned(&self) -> MutexGuard<'_, Option<Identity>> {
        self.0.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_owner_removes_a_file_and_only_that_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let create = || fs::write(&path, "").unwrap();
        create();
        let file = SocketFile::new(&path).unwrap();
        // The signals' thread has it.
        let shared = file.path().clone();
        file.leave();
        shared.remove();
        assert!(path.exists(), "another program has it");
        file.own().unwrap();
        shared.remove();
        assert!(!path.exists());
        create();
        let replaced = SocketFile::new(&path).unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        create();
        drop(replaced);
        drop(SocketFile::of_other(&path).unwrap());
        assert!(path.exists(), "the file of another one");
    }
}
