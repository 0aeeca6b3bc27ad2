//! Where the state is kept while another device may run with it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Hosted, beside, sync_folder};
use crate::device::PciDevice;

const MOVED: &str = ".moved";

impl<D: PciDevice> Hosted<D> {
    /// Where the state is saved now, if it is kept.
    pub(super) fn kept_at(&self) -> Option<PathBuf> {
        let path = self.state_file.clone()?;
        Some(if self.is_saved() { beside(&path, MOVED) } else { path })
    }

    /// Another device may run with the state: if this program is started again, it must not.
    pub(in super::super::super) fn set_kept_aside(&self) {
        if let Some(path) = &self.state_file {
            rename(path, &beside(path, MOVED));
        }
    }

    /// It runs here after all.
    pub(in super::super::super) fn take_kept_back(&self) {
        if let Some(path) = &self.state_file {
            rename(&beside(path, MOVED), path);
        }
    }
}

/// Nothing that happens to the file stops a migration.
fn rename(from: &Path, to: &Path) {
    match fs::rename(from, to).and_then(|()| sync_folder(to)) {
        Ok(()) => {
            tracing::info!(from = %from.display(), to = %to.display(), "the state was renamed");
        }
        // Somebody has taken it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::error!(from = %from.display(), %error, "the state cannot be renamed");
        }
    }
}
