//! Streams of a device's own format.

use super::{PciFunction, Stream};
use crate::device::{Method, PciDevice, SavePhase};
use crate::error::Error;
use crate::migration::StateError;
use crate::protocol::{Errno, MigrationState};

impl<D: PciDevice> PciFunction<D> {
    pub(in super::super) fn is_raw(&self) -> bool {
        self.descriptor.has_raw_stream()
    }

    pub(super) fn read_raw(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        let phase = match self.runtime.migration_state.get() {
            MigrationState::PreCopy => SavePhase::PreCopy,
            MigrationState::StopCopy => SavePhase::Stopped,
            _ => return Err(Errno::EINVAL),
        };
        let Stream::Raw(offset) = self.migration.stream else { return Err(Errno::EINVAL) };
        let saved = self.save_raw(phase, offset, data).map_err(|error| {
            tracing::warn!(%error, "the state cannot be read");
            Errno::EIO
        })?;
        self.migration.stream = Stream::Raw(offset + saved as u64);
        if saved < data.len() && phase == SavePhase::Stopped {
            self.notify_saved();
        }
        Ok(saved)
    }

    /// Makes the device fill `data`, or as much of it as it has bytes for.
    pub(in super::super) fn save_raw(
        &mut self,
        phase: SavePhase,
        offset: u64,
        data: &mut [u8],
    ) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < data.len() {
            let rest = &mut data[filled..];
            let (len, offset) = (rest.len(), offset + filled as u64);
            let saved = self.call_for_state(Method::SaveStream, |device, cx| {
                device.save_stream(cx, phase, offset, rest)
            });
            // A device that returns more bytes than there was room for has filled the room.
            match saved?.min(len) {
                0 => break,
                saved => filled += saved,
            }
        }
        Ok(filled)
    }

    pub(super) fn write_raw(&mut self, data: &[u8]) -> Result<(), Errno> {
        if self.runtime.migration_state.get() != MigrationState::Resuming {
            return Err(Errno::EINVAL);
        }
        let Stream::Raw(offset) = self.migration.stream else { return Err(Errno::EINVAL) };
        if offset == 0 {
            // Work in progress belongs to the state that is replaced.
            self.runtime.end_session();
        }
        let loaded = self
            .call_for_state(Method::LoadStream, |device, cx| device.load_stream(cx, offset, data));
        self.migration.stream = Stream::Raw(offset + data.len() as u64);
        loaded.map_err(|error| {
            tracing::warn!(%error, "the state is refused");
            self.break_down();
            Errno::EINVAL
        })
    }

    /// Ends the load: the device has received the whole stream.
    pub(in super::super) fn finish_raw(&mut self) -> Result<(), StateError> {
        let loaded = self.call_for_state(Method::Loaded, D::loaded);
        loaded.map_err(|error: Error| {
            self.break_down();
            StateError::Refused(error.into())
        })
    }

    /// Returns whether the device has refused a state, or received a part of one. A stream of its
    /// own cannot be rolled back.
    pub(super) fn is_half_loaded(&self) -> bool {
        match self.runtime.migration_state.get() {
            MigrationState::Error => true,
            MigrationState::Resuming => {
                matches!(self.migration.stream, Stream::Raw(size) if size > 0)
            }
            _ => false,
        }
    }

    /// Marks the device, which has refused the state, as broken until a reset.
    pub(super) fn break_down(&mut self) {
        self.migration.stream = Stream::None;
        self.runtime.migration_state.set(MigrationState::Error);
    }
}
