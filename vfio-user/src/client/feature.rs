//! Device features: migration, and the log of pages that the device writes.

use zerocopy::{FromBytes, IntoBytes};

use super::Client;
use super::calls::Answer;
use super::dirty::DirtyPages;
use super::dma::last_address;
use crate::error::{ArgumentError, Error, ReplyError, Result};
use crate::protocol::{
    Command, DeviceFeature, DmaLoggingRange, DmaLoggingReport, DmaLoggingStart, Feature,
    FeatureFlags, MigDataSize, MigDeviceState, MigrationFlags, MigrationInfo, MigrationState,
    PAGE_SIZE,
};

impl Client {
    /// Returns whether the device supports all of `operations` ([`FeatureFlags::GET`],
    /// [`FeatureFlags::SET`]) on a feature.
    ///
    /// # Errors
    ///
    /// Those of any request, except [`Error::Refused`].
    pub fn has_feature(&self, feature: Feature, operations: FeatureFlags) -> Result<bool> {
        match self.feature(FeatureFlags::PROBE | operations, feature, 0, &[]) {
            Ok(_) => Ok(true),
            Err(Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns how the device can migrate; empty if it cannot.
    ///
    /// # Errors
    ///
    /// Those of any request, except [`Error::Refused`].
    pub fn migration_flags(&self) -> Result<MigrationFlags> {
        let room = size_of::<MigrationInfo>();
        match self.feature(FeatureFlags::GET, Feature::Migration, room, &[]) {
            Ok(answer) => {
                let (info, _) = data::<MigrationInfo>(&answer)?;
                Ok(MigrationFlags::from_bits_retain(info.flags.get()))
            }
            Err(Error::Refused { .. }) => Ok(MigrationFlags::empty()),
            Err(error) => Err(error),
        }
    }

    /// Returns the migration state of the device.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn migration_state(&self) -> Result<MigrationState> {
        let room = size_of::<MigDeviceState>();
        let answer = self.feature(FeatureFlags::GET, Feature::MigDeviceState, room, &[])?;
        let (state, _) = data::<MigDeviceState>(&answer)?;
        let state = MigrationState::try_from(state.device_state.get());
        state.map_err(|error| answer.malformed(error))
    }

    /// Moves the device to a migration state, and returns when it has reached the state.
    ///
    /// # Errors
    ///
    /// Those of any request. After [`Error::Refused`] the device is in the last state that it
    /// reached, or in [`MigrationState::Error`]: read its
    /// [`migration_state`](Self::migration_state). After any other error the outcome is unknown:
    /// the device may reach the state later. A device that was requested to run may run then, so
    /// the source of its state must stay stopped; [`Migration`](super::Migration) ensures that.
    pub fn set_migration_state(&self, state: MigrationState) -> Result<()> {
        let state =
            MigDeviceState { device_state: u32::from(state).into(), ..MigDeviceState::default() };
        let feature = Feature::MigDeviceState;
        self.feature(FeatureFlags::SET, feature, 0, &[state.as_bytes()]).map(drop)
    }

    /// Returns an estimate of the maximum number of bytes to read if the device stopped now.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn migration_data_size(&self) -> Result<u64> {
        let room = size_of::<MigDataSize>();
        let answer = self.feature(FeatureFlags::GET, Feature::MigDataSize, room, &[])?;
        let (size, _) = data::<MigDataSize>(&answer)?;
        Ok(size.stop_copy_length.get())
    }

    /// Starts to log the pages that the device writes, by descriptors and by messages. `page_size`
    /// is a preferred size in bytes; returns the size that the server uses. Without `ranges` (first
    /// address and bytes) all memory is logged.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn start_dirty_log(&self, page_size: u64, ranges: &[(u64, u64)]) -> Result<u64> {
        let num_ranges =
            u32::try_from(ranges.len()).map_err(|_| ArgumentError::TooManyRanges(ranges.len()))?;
        let start = DmaLoggingStart {
            page_size: page_size.into(),
            num_ranges: num_ranges.into(),
            ..DmaLoggingStart::default()
        };
        let range = |&(iova, length): &(u64, u64)| DmaLoggingRange {
            iova: iova.into(),
            length: length.into(),
        };
        let ranges: Vec<_> = ranges.iter().map(range).collect();
        let was_logging = self.memory.is_logging();
        if !was_logging {
            // Writes before the answer arrives count.
            self.memory.log(true);
        }
        let parts = [start.as_bytes(), ranges.as_bytes()];
        let started = self.feature(FeatureFlags::SET, Feature::DmaLoggingStart, 0, &parts);
        if started.is_err() && !was_logging {
            self.memory.log(false);
        }
        let answer = started?;
        let (started, _) = data::<DmaLoggingStart>(&answer)?;
        Ok(started.page_size.get())
    }

    /// Stops the log and clears it.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn stop_dirty_log(&self) -> Result<()> {
        self.feature(FeatureFlags::SET, Feature::DmaLoggingStop, 0, &[])?;
        self.memory.log(false);
        Ok(())
    }

    /// Returns the pages of a range that the device has written since the last report or the start
    /// of the log. This includes pages that the server has logged and pages that this client has
    /// written on its behalf. Clears their marks. `page_size` is a power of two.
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Argument`] if the range is empty or wraps around, or if
    /// the bitmap is too large for one message: request parts of the range then.
    pub fn dirty_pages(&self, iova: u64, length: u64, page_size: u64) -> Result<DirtyPages> {
        let last = last_address(iova, length)?;
        let mut pages = DirtyPages::new(iova, length, page_size, self.max_bitmap())?;
        let wanted = DmaLoggingReport {
            iova: iova.into(),
            length: length.into(),
            page_size: page_size.into(),
        };
        let room = wanted.as_bytes().len() + pages.bitmap_len();
        let feature = Feature::DmaLoggingReport;
        match self.feature(FeatureFlags::GET, feature, room, &[wanted.as_bytes()]) {
            Ok(answer) => {
                let (_, bitmap) = data::<DmaLoggingReport>(&answer)?;
                pages.fill(bitmap).map_err(|problem| answer.malformed(problem))?;
            }
            // Some servers do not track memory that they access by messages alone.
            Err(Error::Refused { .. })
                if self.memory.is_logging() && self.memory.is_by_messages(iova, last) => {}
            Err(error) => return Err(error),
        }
        for page in self.memory.take_dirty(iova, last) {
            pages.mark(page, PAGE_SIZE);
        }
        Ok(pages)
    }

    /// Sends a feature's data; the answer may carry `room` bytes of data, or as many as are sent if
    /// that is more.
    fn feature(
        &self,
        operation: FeatureFlags,
        feature: Feature,
        room: usize,
        data: &[&[u8]],
    ) -> Result<Answer> {
        let sent = data.iter().map(|part| part.len()).sum();
        let argsz = size_of::<DeviceFeature>() + room.max(sent);
        let fixed = DeviceFeature {
            argsz: u32::try_from(argsz).unwrap_or(u32::MAX).into(),
            flags: operation.with(feature).into(),
        };
        let parts: Vec<&[u8]> =
            std::iter::once(fixed.as_bytes()).chain(data.iter().copied()).collect();
        self.connection.request(Command::DeviceFeature, &parts, &[])
    }
}

/// Returns the data of a feature in an answer, and what follows it.
fn data<T: FromBytes>(answer: &Answer) -> Result<(T, &[u8])> {
    let (_, bytes) = answer.split::<DeviceFeature>()?;
    T::read_from_prefix(bytes).map_err(|_| {
        let (got, least) = (bytes.len(), size_of::<T>());
        answer.malformed(ReplyError::TooShort { got, least })
    })
}
