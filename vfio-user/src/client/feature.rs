//! Device features: migration, and the log of pages that the device writes.

use zerocopy::{FromBytes, IntoBytes};

use super::Client;
use super::connection::Answer;
use super::dirty::DirtyPages;
use super::dma::last_address;
use crate::error::{ArgumentError, Error, Result};
use crate::protocol::{
    Command, DeviceFeature, DmaLoggingRange, DmaLoggingReport, DmaLoggingStart, Feature,
    FeatureFlags, MigDataSize, MigDeviceState, MigrationFlags, MigrationInfo, MigrationState,
    PAGE_SIZE,
};

impl Client {
    /// Whether the device can do all of `operations` ([`FeatureFlags::GET`], [`FeatureFlags::SET`])
    /// on a feature.
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

    /// The ways in which the device can migrate; none if it cannot.
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

    /// The migration state that the device is in.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn migration_state(&self) -> Result<MigrationState> {
        let room = size_of::<MigDeviceState>();
        let answer = self.feature(FeatureFlags::GET, Feature::MigDeviceState, room, &[])?;
        let (state, _) = data::<MigDeviceState>(&answer)?;
        let state = MigrationState::try_from(state.device_state.get());
        state.map_err(|error| answer.malformed(error.to_string()))
    }

    /// Moves the device to a migration state; it is there when this returns.
    ///
    /// # Errors
    ///
    /// Those of any request. After [`Error::Refused`] the device is in the last state that it reached,
    /// or in [`MigrationState::Error`]: ask for its [`migration_state`](Self::migration_state). After
    /// any other error the outcome is unknown: the device may reach the state later. A device that was
    /// requested to run may run then, so the one that its state comes from must stay stopped;
    /// [`Migration`](super::Migration) takes care of that.
    pub fn set_migration_state(&self, state: MigrationState) -> Result<()> {
        let state =
            MigDeviceState { device_state: u32::from(state).into(), ..MigDeviceState::default() };
        let feature = Feature::MigDeviceState;
        self.feature(FeatureFlags::SET, feature, 0, &[state.as_bytes()]).map(drop)
    }

    /// How much there is to be read at most if the device stopped now, in bytes, as far as it knows.
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

    /// Starts to log which pages the device writes, by descriptors and by messages. `page_size` is
    /// a wish, in bytes; gives what the server has made of it. Without `ranges` (first address and
    /// bytes) all memory is logged.
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
            // What is written before the answer is here counts.
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

    /// Stops the log and forgets it.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn stop_dirty_log(&self) -> Result<()> {
        self.feature(FeatureFlags::SET, Feature::DmaLoggingStop, 0, &[])?;
        self.memory.log(false);
        Ok(())
    }

    /// The pages of a range that the device has written since the last report or the start of the
    /// log, as the server has logged them and as this client has written them on its behalf. They
    /// are forgotten. `page_size` is a power of two.
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Argument`] if the range is empty or wraps around, or if
    /// the bitmap is too large for one message: ask for parts of the range then.
    pub fn dirty_pages(&self, iova: u64, length: u64, page_size: u64) -> Result<DirtyPages> {
        let last = last_address(iova, length)?;
        let mut pages = DirtyPages::new(iova, length, page_size, self.max_transfer())?;
        let asked = DmaLoggingReport {
            iova: iova.into(),
            length: length.into(),
            page_size: page_size.into(),
        };
        let room = asked.as_bytes().len() + pages.bitmap_len();
        let feature = Feature::DmaLoggingReport;
        match self.feature(FeatureFlags::GET, feature, room, &[asked.as_bytes()]) {
            Ok(answer) => {
                let (_, bitmap) = data::<DmaLoggingReport>(&answer)?;
                pages.fill(bitmap).map_err(|problem| answer.malformed(problem))?;
            }
            // Some servers know nothing of memory that they only reach by messages.
            Err(Error::Refused { .. })
                if self.memory.is_logging() && self.memory.is_by_messages(iova, last) => {}
            Err(error) => return Err(error),
        }
        for page in self.memory.take_dirty(iova, last) {
            pages.mark(page, PAGE_SIZE);
        }
        Ok(pages)
    }

    /// Sends a feature's data; there is room for `room` bytes of them in the answer, and for what is
    /// sent.
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

/// The data of a feature in an answer, and what follows them.
fn data<T: FromBytes>(answer: &Answer) -> Result<(T, &[u8])> {
    let (_, bytes) = answer.split::<DeviceFeature>()?;
    T::read_from_prefix(bytes).map_err(|_| {
        let (got, least) = (bytes.len(), size_of::<T>());
        answer.malformed(format!("{got} bytes of data, fewer than {least}"))
    })
}
