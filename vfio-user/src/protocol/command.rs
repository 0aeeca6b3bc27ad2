//! Command numbers.

use std::fmt;

/// The command of a message (vfio-user specification, "Commands").
///
/// The server sends [`Command::DmaRead`] and [`Command::DmaWrite`], the client all others. Number
/// 14 belonged to the first migration protocol and is not used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
#[non_exhaustive]
pub enum Command {
    /// `VFIO_USER_VERSION`: negotiates version and capabilities.
    Version = 1,
    /// `VFIO_USER_DMA_MAP`: maps client memory.
    DmaMap = 2,
    /// `VFIO_USER_DMA_UNMAP`: unmaps client memory.
    DmaUnmap = 3,
    /// `VFIO_USER_DEVICE_GET_INFO`: returns the numbers of regions and interrupt indices.
    DeviceGetInfo = 4,
    /// `VFIO_USER_DEVICE_GET_REGION_INFO`: returns size and flags of a region.
    DeviceGetRegionInfo = 5,
    /// `VFIO_USER_DEVICE_GET_REGION_IO_FDS`: returns descriptors that replace accesses to
    /// registers.
    DeviceGetRegionIoFds = 6,
    /// `VFIO_USER_DEVICE_GET_IRQ_INFO`: returns the vectors of an interrupt index.
    DeviceGetIrqInfo = 7,
    /// `VFIO_USER_DEVICE_SET_IRQS`: assigns, masks, unmasks or triggers interrupts.
    DeviceSetIrqs = 8,
    /// `VFIO_USER_REGION_READ`: reads from a region.
    RegionRead = 9,
    /// `VFIO_USER_REGION_WRITE`: writes to a region.
    RegionWrite = 10,
    /// `VFIO_USER_DMA_READ`: reads client memory.
    DmaRead = 11,
    /// `VFIO_USER_DMA_WRITE`: writes client memory.
    DmaWrite = 12,
    /// `VFIO_USER_DEVICE_RESET`: resets the device.
    DeviceReset = 13,
    /// `VFIO_USER_REGION_WRITE_MULTI`: does several small writes to regions.
    RegionWriteMulti = 15,
    /// `VFIO_USER_DEVICE_FEATURE`: gets, sets or probes a feature.
    DeviceFeature = 16,
    /// `VFIO_USER_MIG_DATA_READ`: reads migration data of the device.
    MigDataRead = 17,
    /// `VFIO_USER_MIG_DATA_WRITE`: writes migration data to the device.
    MigDataWrite = 18,
}

/// The error for a command number that is not a [`Command`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown command {0}, accepted are 1 to 13 and 15 to 18")]
pub struct UnknownCommand(pub u16);

impl TryFrom<u16> for Command {
    type Error = UnknownCommand;

    fn try_from(number: u16) -> Result<Self, UnknownCommand> {
        Ok(match number {
            1 => Self::Version,
            2 => Self::DmaMap,
            3 => Self::DmaUnmap,
            4 => Self::DeviceGetInfo,
            5 => Self::DeviceGetRegionInfo,
            6 => Self::DeviceGetRegionIoFds,
            7 => Self::DeviceGetIrqInfo,
            8 => Self::DeviceSetIrqs,
            9 => Self::RegionRead,
            10 => Self::RegionWrite,
            11 => Self::DmaRead,
            12 => Self::DmaWrite,
            13 => Self::DeviceReset,
            15 => Self::RegionWriteMulti,
            16 => Self::DeviceFeature,
            17 => Self::MigDataRead,
            18 => Self::MigDataWrite,
            _ => return Err(UnknownCommand(number)),
        })
    }
}

impl From<Command> for u16 {
    fn from(command: Command) -> u16 {
        command as u16
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Version => "VERSION",
            Self::DmaMap => "DMA_MAP",
            Self::DmaUnmap => "DMA_UNMAP",
            Self::DeviceGetInfo => "DEVICE_GET_INFO",
            Self::DeviceGetRegionInfo => "DEVICE_GET_REGION_INFO",
            Self::DeviceGetRegionIoFds => "DEVICE_GET_REGION_IO_FDS",
            Self::DeviceGetIrqInfo => "DEVICE_GET_IRQ_INFO",
            Self::DeviceSetIrqs => "DEVICE_SET_IRQS",
            Self::RegionRead => "REGION_READ",
            Self::RegionWrite => "REGION_WRITE",
            Self::DmaRead => "DMA_READ",
            Self::DmaWrite => "DMA_WRITE",
            Self::DeviceReset => "DEVICE_RESET",
            Self::RegionWriteMulti => "REGION_WRITE_MULTI",
            Self::DeviceFeature => "DEVICE_FEATURE",
            Self::MigDataRead => "MIG_DATA_READ",
            Self::MigDataWrite => "MIG_DATA_WRITE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_seventeen_numbers_are_commands_and_convert_back() {
        let known: Vec<u16> = (0..=u16::MAX)
            .filter_map(|number| Command::try_from(number).ok().map(|c| (number, c)))
            .map(|(number, command)| {
                assert_eq!(u16::from(command), number);
                number
            })
            .collect();
        assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18]);
    }

    #[test]
    fn an_unknown_command_is_named_in_the_error() {
        let error = Command::try_from(14).unwrap_err();
        assert_eq!(error.to_string(), "unknown command 14, accepted are 1 to 13 and 15 to 18");
    }

    #[test]
    fn commands_display_as_in_the_specification() {
        assert_eq!(Command::DmaMap.to_string(), "DMA_MAP");
        assert_eq!(Command::DeviceGetRegionIoFds.to_string(), "DEVICE_GET_REGION_IO_FDS");
        assert_eq!(format!("{:>8}", Command::Version), " VERSION");
    }
}
