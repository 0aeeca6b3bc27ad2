//! Files that hold a stream of a device's own format.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{PciFunction, read_all, replace};
use crate::device::{Method, PciDevice, SavePhase};
use crate::error::{Error, Result};
use crate::function::Migrate;
use crate::migration::{MAX_MEMORY, StateError};
use crate::model::ResetKind;
use crate::protocol::MigrationState;

impl<D: PciDevice> PciFunction<D> {
    /// Loads the state from a file. The load cannot be rolled back: if the device refuses the file,
    /// it is reset.
    pub(super) fn restore_raw(&mut self, path: &Path, file: File) -> Result<()> {
        self.quiesce();
        self.hold();
        self.runtime.migration_state.set(MigrationState::Resuming);
        let loaded = self.load_raw(path, file);
        self.runtime.migration_state.set(MigrationState::Running);
        if loaded.is_err() {
            self.reset_by(ResetKind::Device);
            self.run_after_reset();
            return loaded;
        }
        self.hold_as_loaded();
        tracing::info!(path = %path.display(), "the state was restored");
        Ok(())
    }

    fn load_raw(&mut self, path: &Path, file: File) -> Result<()> {
        let mut offset = 0;
        read_all(path, file, |piece| {
            let loaded = self.call_for_state(Method::LoadStream, |device, cx| {
                device.load_stream(cx, offset, piece)
            });
            offset += piece.len() as u64;
            loaded.map_err(|error| StateError::Refused(error.into()))
        })?;
        self.finish_raw().map_err(|source| Error::State { path: path.to_owned(), source })
    }

    /// Saves the device's stream. A device that runs is stopped meanwhile, because its stream is
    /// that of a stopped device.
    pub(super) fn save_raw_to(&mut self, path: &Path) -> Result<()> {
        let (state, has_run) = (self.runtime.migration_state.get(), !self.is_held());
        if has_run {
            self.quiesce();
            self.hold();
        }
        self.runtime.migration_state.set(MigrationState::StopCopy);
        let saved = replace(path, |file| self.write_raw_to(file), |_| Ok(()));
        self.runtime.migration_state.set(state);
        if has_run {
            self.resume();
        }
        saved
    }

    fn write_raw_to(&mut self, file: &mut File) -> io::Result<()> {
        let (mut piece, mut offset) = (vec![0; MAX_MEMORY], 0);
        loop {
            let saved = self.save_raw(SavePhase::Stopped, offset, &mut piece);
            let saved = saved.map_err(io::Error::other)?;
            if saved == 0 {
                return Ok(());
            }
            file.write_all(&piece[..saved])?;
            offset += saved as u64;
        }
    }
}
