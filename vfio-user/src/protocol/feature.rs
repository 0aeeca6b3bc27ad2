//! Device features: migration and dirty page logging.

use bitflags::bitflags;
use zerocopy::little_endian::{I32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Request and reply of `VFIO_USER_DEVICE_FEATURE`; the data of the feature follow.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct DeviceFeature {
    /// The largest reply payload that the client accepts, in bytes; in the reply its size.
    pub argsz: U32,
    /// A [`Feature`] and [`FeatureFlags`]; see [`FeatureFlags::split`] and
    /// [`FeatureFlags::with`].
    pub flags: U32,
}

bitflags! {
    /// The operation on a feature: bits 16 to 18 of the flags of a [`DeviceFeature`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct FeatureFlags: u32 {
        /// Gets the data.
        const GET = 0x1_0000;
        /// Sets the data.
        const SET = 0x2_0000;
        /// Probes whether the feature supports all other operations of the flags.
        const PROBE = 0x4_0000;
    }
}

impl FeatureFlags {
    /// Splits the flags of a [`DeviceFeature`] into the number of the feature, which may be
    /// unknown, and the operation.
    ///
    /// Returns `None` if a flag is unknown, if there is no operation, or if [`FeatureFlags::GET`]
    /// and [`FeatureFlags::SET`] are both set without [`FeatureFlags::PROBE`].
    pub fn split(flags: u32) -> Option<(u16, Self)> {
        let [low, high, ..] = flags.to_le_bytes();
        let operation = Self::from_bits(flags & !u32::from(u16::MAX))?;
        let accepted =
            operation.contains(Self::PROBE) || operation == Self::GET || operation == Self::SET;
        accepted.then_some((u16::from_le_bytes([low, high]), operation))
    }

    /// Returns the flags of a [`DeviceFeature`] that requests this operation on `feature`.
    pub fn with(self, feature: Feature) -> u32 {
        self.bits() | u32::from(u16::from(feature))
    }
}

/// The features that vfio-user uses (`VFIO_DEVICE_FEATURE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
#[non_exhaustive]
pub enum Feature {
    /// Get [`MigrationInfo`].
    Migration = 1,
    /// Get or set [`MigDeviceState`].
    MigDeviceState = 2,
    /// Set [`DmaLoggingStart`].
    DmaLoggingStart = 6,
    /// Set, without data: stops logging and clears the log.
    DmaLoggingStop = 7,
    /// Get [`DmaLoggingReport`].
    DmaLoggingReport = 8,
    /// Get [`MigDataSize`].
    MigDataSize = 9,
}

/// The error for a number that is not a [`Feature`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown feature {0}, accepted are 1, 2 and 6 to 9")]
pub struct UnknownFeature(pub u16);

impl TryFrom<u16> for Feature {
    type Error = UnknownFeature;

    fn try_from(number: u16) -> Result<Self, UnknownFeature> {
        Ok(match number {
            1 => Self::Migration,
            2 => Self::MigDeviceState,
            6 => Self::DmaLoggingStart,
            7 => Self::DmaLoggingStop,
            8 => Self::DmaLoggingReport,
            9 => Self::MigDataSize,
            _ => return Err(UnknownFeature(number)),
        })
    }
}

impl From<Feature> for u16 {
    fn from(feature: Feature) -> u16 {
        feature as u16
    }
}

/// Data of [`Feature::Migration`].
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct MigrationInfo {
    /// [`MigrationFlags`].
    pub flags: U64,
}

bitflags! {
    /// The migration states of a device besides stopped and running.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MigrationFlags: u64 {
        /// [`MigrationState::StopCopy`] and [`MigrationState::Resuming`]; without it no migration.
        const STOP_COPY = 0x1;
        /// [`MigrationState::RunningP2p`].
        const P2P = 0x2;
        /// [`MigrationState::PreCopy`].
        const PRE_COPY = 0x4;
    }
}

/// Data of [`Feature::MigDeviceState`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct MigDeviceState {
    /// A [`MigrationState`].
    pub device_state: U32,
    /// Not used by vfio-user: -1, no descriptor.
    pub data_fd: I32,
}

impl Default for MigDeviceState {
    fn default() -> Self {
        MigDeviceState { device_state: 0.into(), data_fd: (-1).into() }
    }
}

/// The migration states of a device (`enum vfio_device_mig_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum MigrationState {
    /// Failed; a reset leaves this state.
    Error = 0,
    /// Stopped.
    Stop = 1,
    /// Runs.
    Running = 2,
    /// Stopped; the data can be read.
    StopCopy = 3,
    /// Stopped; the data can be written.
    Resuming = 4,
    /// Runs, but starts no DMA to other devices; not used by vfio-user.
    RunningP2p = 5,
    /// Runs; the data can be read.
    PreCopy = 6,
    /// Like [`MigrationState::RunningP2p`], and the data can be read; not used by vfio-user.
    PreCopyP2p = 7,
}

impl MigrationState {
    /// Returns whether the device runs.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::RunningP2p | Self::PreCopy | Self::PreCopyP2p)
    }
}

/// The error for a number that is not a [`MigrationState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown migration state {0}, accepted are 0 to 7")]
pub struct UnknownMigrationState(pub u32);

impl TryFrom<u32> for MigrationState {
    type Error = UnknownMigrationState;

    fn try_from(number: u32) -> Result<Self, UnknownMigrationState> {
        Ok(match number {
            0 => Self::Error,
            1 => Self::Stop,
            2 => Self::Running,
            3 => Self::StopCopy,
            4 => Self::Resuming,
            5 => Self::RunningP2p,
            6 => Self::PreCopy,
            7 => Self::PreCopyP2p,
            _ => return Err(UnknownMigrationState(number)),
        })
    }
}

impl From<MigrationState> for u32 {
    fn from(state: MigrationState) -> u32 {
        state as u32
    }
}

/// Data of [`Feature::DmaLoggingStart`]; `num_ranges` times [`DmaLoggingRange`] follow.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct DmaLoggingStart {
    /// The preferred size of a page in bytes, a power of two; in the reply the actual size.
    pub page_size: U64,
    /// The number of ranges; 0 means all memory.
    pub num_ranges: U32,
    /// Reserved, 0.
    pub reserved: U32,
}

/// A range to log.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct DmaLoggingRange {
    /// IOVA of the first byte.
    pub iova: U64,
    /// The size of the range, in bytes.
    pub length: U64,
}

/// Data of [`Feature::DmaLoggingReport`]; the bitmap follows in the reply, in words of 8 bytes. Bit
/// `n % 8` of byte `n / 8` is page `n` of the range.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct DmaLoggingReport {
    /// IOVA of the first byte.
    pub iova: U64,
    /// The size of the range, in bytes.
    pub length: U64,
    /// The bytes of memory per bit, a power of two.
    pub page_size: U64,
}

/// Data of [`Feature::MigDataSize`].
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct MigDataSize {
    /// The estimated size of the migration data, in bytes.
    pub stop_copy_length: U64,
}

/// Request and reply of `VFIO_USER_MIG_DATA_READ`, request of `VFIO_USER_MIG_DATA_WRITE`. The data
/// follow in the reply to a read and in the request of a write; the reply to a write has no
/// payload.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct MigData {
    /// The size of this structure and the data, in bytes.
    pub argsz: U32,
    /// The size of the data in bytes: requested or actual.
    pub size: U32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<DeviceFeature>(), 8);
        assert_eq!(size_of::<MigrationInfo>(), 8);
        assert_eq!(size_of::<MigDeviceState>(), 8);
        assert_eq!(size_of::<DmaLoggingStart>(), 16);
        assert_eq!(size_of::<DmaLoggingRange>(), 16);
        assert_eq!(size_of::<DmaLoggingReport>(), 24);
        assert_eq!(size_of::<MigDataSize>(), 8);
        assert_eq!(size_of::<MigData>(), 8);
    }

    #[test]
    fn one_operation_or_a_probe_is_accepted() {
        let (get, set, probe) = (FeatureFlags::GET, FeatureFlags::SET, FeatureFlags::PROBE);
        for operation in [get, set, probe, probe | get, probe | set, probe | get | set] {
            let flags = operation.with(Feature::DmaLoggingStart);
            assert_eq!(FeatureFlags::split(flags), Some((6, operation)));
        }
        assert_eq!(FeatureFlags::split(0x1_ffff), Some((0xffff, get)));
    }

    #[test]
    fn no_operation_two_operations_and_unknown_flags_are_refused() {
        for flags in [0, 1, 0x3_0001, 0x8_0001, 0x9_0001, 0x8001_0001] {
            assert_eq!(FeatureFlags::split(flags), None, "{flags:#x}");
        }
    }

    #[test]
    fn features_convert_both_ways_and_others_are_refused() {
        let known: Vec<_> = (0..=u16::MAX).filter_map(|n| Feature::try_from(n).ok()).collect();
        assert_eq!(known.into_iter().map(u16::from).collect::<Vec<_>>(), [1, 2, 6, 7, 8, 9]);
        assert_eq!(Feature::try_from(10), Err(UnknownFeature(10)));
    }

    #[test]
    fn migration_states_convert_both_ways_and_others_are_refused() {
        for number in 0..8 {
            assert_eq!(MigrationState::try_from(number).map(u32::from), Ok(number));
        }
        for number in [8, u32::MAX] {
            assert_eq!(MigrationState::try_from(number), Err(UnknownMigrationState(number)));
        }
    }
}
