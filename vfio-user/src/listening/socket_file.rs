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
        let (path, file) = (std::path::absolute(path)?, Mutex::default());
        Ok(SocketFile(SocketPath(Arc::new(State { path, file }))))
    }

    pub(crate) fn path(&self) -> &SocketPath {
        &self.0
    }

    /// Owns the file, which another program has created, or which this process has left.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub(crate) fn own(&self) -> io::Result<()> {
        let mut file = self.0.file();
        // What lies at the path of a file that was left may be a different one by now.
        let identity = match *file {
            File::Unknown => identity(self.0.as_path())?,
            File::Owned(identity) | File::Left(identity) => identity,
            File::Removed => return Ok(()),
        };
        *file = File::Owned(identity);
        Ok(())
    }

    /// Leaves the file to another program, which listens there.
    pub(crate) fn leave(&self) {
        let mut file = self.0.file();
        if let File::Owned(identity) = *file {
            *file = File::Left(identity);
        }
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
    /// Locked while the file is removed: another program must not receive it meanwhile.
    file: Mutex<File>,
}

/// What a process knows of the file.
#[derive(Debug, Default)]
enum File {
    /// Another program has created it.
    #[default]
    Unknown,
    Owned(Identity),
    /// Another program owns it.
    Left(Identity),
    Removed,
}

/// A device and an inode.
type Identity = (u64, u64);

impl SocketPath {
    pub(crate) fn as_path(&self) -> &Path {
        &self.0.path
    }

    /// Removes the file if this process owns it, unless another one has replaced it.
    pub(crate) fn remove(&self) {
        let mut file = self.file();
        let File::Owned(ours) = *file else { return };
        *file = File::Removed;
        if identity(self.as_path()).is_ok_and(|found| found == ours) {
            // A failure cannot be handled, and a leftover file is replaced the next time.
            let _ = fs::remove_file(self.as_path());
        }
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner)
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
        let left = SocketFile::new(&path).unwrap();
        left.leave();
        fs::rename(&path, folder.path().join("left")).unwrap();
        create();
        left.own().unwrap();
        drop(left);
        assert!(path.exists(), "another one has replaced it meanwhile");
    }
}
