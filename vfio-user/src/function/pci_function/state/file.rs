//! A device's state in a file, which is kept between runs of its program.

mod moved_file;
mod raw;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::{PciFunction, Saving};
use crate::device::{Method, PciDevice};
use crate::error::{Error, Result};
use crate::migration::{MAX_MEMORY, StateError};
use crate::protocol::MigrationState;

/// The name of a file that is not whole yet ends so.
const NEW: &str = ".new";

impl<D: PciDevice> PciFunction<D> {
    /// Loads the state from a file, if it exists, and keeps the state there from now on.
    ///
    /// The state is saved when a client has left, and when the device is no longer served. The file
    /// is replaced as a whole or not at all, even if the process or the machine stops.
    ///
    /// A device that was restored stays stopped until its first client attaches; then it
    /// [resumes](crate::Device::resume) with the loaded state.
    ///
    /// The file of a device with a stream of its own holds that stream and nothing else: the device
    /// has to check that it is complete. The device is stopped while it is saved.
    ///
    /// Once a client has stopped the device and read all of its state, another device may run with
    /// that state. The file is then renamed to `FILE.moved`, and later saves go there, until this
    /// device runs again. The next run of the program does not read that file, so that there is
    /// never a second copy.
    ///
    /// # Errors
    ///
    /// If the device does not migrate, or if the file cannot be read or is refused. The device is
    /// then unchanged; a device with a stream of its own has been reset.
    pub fn keep_state(&mut self, path: impl Into<PathBuf>) -> Result<()> {
        let path = path.into();
        moved_file::remove_unfinished(&path);
        if !self.is_raw() {
            self.layout().map_err(|source| Error::State { path: path.clone(), source })?;
        }
        match File::open(&path) {
            Ok(file) if self.is_raw() => self.restore_raw(&path, file)?,
            Ok(file) => self.restore(&path, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::StateFile { path, source }),
        }
        let is_new = !path.exists();
        self.state_file = Some(path);
        // A new file is written at once, so that a failure is reported now.
        if is_new { self.save_state_file() } else { Ok(()) }
    }

    fn restore(&mut self, path: &Path, file: File) -> Result<()> {
        let mut loading = self.begin_loading();
        let shared = &self.runtime.shared;
        let read = read_all(path, file, |piece| loading.push(shared, piece));
        let loaded = read.and_then(|()| {
            let loaded = self.finish_loading(&mut loading);
            loaded.map_err(|source| Error::State { path: path.to_owned(), source })
        });
        if loaded.is_err() {
            self.undo_loading(loading);
        }
        loaded?;
        self.hold_as_loaded();
        tracing::info!(path = %path.display(), "the state was restored");
        Ok(())
    }

    /// Saves the state in its file, if it is kept.
    ///
    /// # Errors
    ///
    /// If the state cannot be saved; the old file is then kept.
    pub(in super::super) fn save_state_file(&mut self) -> Result<()> {
        let Some(path) = self.state_path() else { return Ok(()) };
        self.prepare_saving();
        if self.is_raw() {
            self.save_raw_to(&path)?;
        } else {
            self.save_to(&path)?;
        }
        if self.is_saved() {
            tracing::warn!(path = %path.display(), "the state was saved aside: the device may run elsewhere");
        } else {
            tracing::info!(path = %path.display(), "the state was saved");
        }
        Ok(())
    }

    fn save_to(&self, path: &Path) -> Result<()> {
        let state = self.save_state();
        let state = state.map_err(|source| Error::State { path: path.to_owned(), source })?;
        let mut saving = self.begin_saving();
        saving.conclude(&self.runtime.shared, state);
        replace(path, |file| self.write_all(&mut saving, file), |file| self.read_back(path, file))
    }

    /// Checks that this version of the device accepts a file: all of it is read and decoded, and
    /// nothing is loaded.
    fn read_back(&self, path: &Path, file: File) -> Result<()> {
        let mut check = self.begin_checking();
        read_all(path, file, |piece| check.push(piece))?;
        let accepted = self.finish_checking(&check);
        accepted.map_err(|source| Error::State { path: path.to_owned(), source })
    }

    fn write_all(&self, saving: &mut Saving, file: &mut File) -> io::Result<()> {
        let mut piece = vec![0; MAX_MEMORY];
        loop {
            let read = saving.read(&self.runtime.shared, &mut piece);
            match read.map_err(|error: StateError| io::Error::other(error))? {
                0 => return Ok(()),
                read => file.write_all(&piece[..read])?,
            }
        }
    }

    /// Finishes or cancels work in progress when the device is no longer served, and saves the
    /// state.
    pub(in super::super) fn retire_state_file(&mut self) -> Result<()> {
        if self.state_file.is_none() {
            return Ok(());
        }
        if self.runtime.migration_state.get() == MigrationState::Running && !self.is_held() {
            self.call(Method::Quiesce, D::quiesce);
            self.hold();
        }
        self.save_state_file()
    }
}

fn read_all(
    path: &Path,
    mut file: File,
    mut take: impl FnMut(&[u8]) -> Result<(), StateError>,
) -> Result<()> {
    let mut piece = vec![0; MAX_MEMORY];
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::StateFile { path: path.to_owned(), source }),
        };
        take(&piece[..read]).map_err(|source| Error::State { path: path.to_owned(), source })?;
    }
}

/// Replaces a file as a whole: after a crash, either the old or the new file exists. The old file
/// is replaced only if the new one passes `check`.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
    check: impl FnOnce(File) -> Result<()>,
) -> Result<()> {
    let failed = |source| Error::StateFile { path: path.to_owned(), source };
    path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let new = beside(path, NEW);
    let replace = || {
        write_whole(&new, write).map_err(failed)?;
        check(File::open(&new).map_err(failed)?)?;
        fs::rename(&new, path).map_err(failed)
    };
    if let Err(error) = replace() {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    sync_folder(path).map_err(failed)
}

fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = create_new(path)?;
    write(&mut file)?;
    file.sync_all()
}

/// Creates a file that only its owner can read, because the state may hold secrets of the guest.
///
/// An existing file, left by a killed process or created by another user, is removed. It is never
/// written to, and a link is not followed.
fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Returns the path of a file next to another one.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Syncs the folder, so that the file has its name after a crash.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
