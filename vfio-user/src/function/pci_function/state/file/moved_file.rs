//! The place of the state while another device may run with it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{NEW, PciFunction, beside, sync_folder};
use crate::device::PciDevice;

const MOVED: &str = ".moved";

impl<D: PciDevice> PciFunction<D> {
    /// Returns the path of the saved state, if the state is kept.
    pub(super) fn state_path(&self) -> Option<PathBuf> {
        let path = self.state_file.clone()?;
        Some(if self.is_saved() { beside(&path, MOVED) } else { path })
    }

    /// Moves the state aside, because another device may run with it: a restart of this program
    /// must not use it.
    pub(in super::super::super) fn move_state_file(&self) {
        if let Some(path) = &self.state_file {
            rename(path, &beside(path, MOVED));
        }
    }

    /// Moves the state back, because the device runs here.
    pub(in super::super::super) fn restore_state_file(&self) {
        if let Some(path) = &self.state_file {
            rename(&beside(path, MOVED), path);
        }
    }
}

/// Removes what a killed process has left of a save.
pub(super) fn remove_unfinished(path: &Path) {
    for path in [path, &beside(path, MOVED)] {
        // It rarely exists, and a save removes it as well.
        let _ = fs::remove_file(beside(path, NEW));
    }
}

/// Renames the file. Failures are logged and do not stop a migration.
fn rename(from: &Path, to: &Path) {
    match fs::rename(from, to).and_then(|()| sync_folder(to)) {
        Ok(()) => {
            tracing::info!(from = %from.display(), to = %to.display(), "the state was renamed");
        }
        // Another program has removed or taken it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::error!(from = %from.display(), %error, "the state cannot be renamed");
        }
    }
}
