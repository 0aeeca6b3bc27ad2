//! Interrupts: their descriptions, and how the client receives them.

use std::fmt;

use bitflags::bitflags;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The interrupt indices of a PCI device (`VFIO_PCI_*_IRQ_INDEX`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum IrqIndex {
    /// The interrupt pin.
    Intx = 0,
    /// Message signalled interrupts.
    Msi = 1,
    /// Message signalled interrupts, extended.
    Msix = 2,
    /// An error of the device that it cannot recover from.
    Err = 3,
    /// A request of the device to be released.
    Req = 4,
}

/// The error for a number that is not an [`IrqIndex`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown interrupt index {0}, accepted are 0 to 4")]
pub struct UnknownIrq(pub u32);

impl IrqIndex {
    /// The number of indices.
    pub const COUNT: usize = 5;

    /// All indices, in order.
    pub const ALL: [Self; Self::COUNT] = [Self::Intx, Self::Msi, Self::Msix, Self::Err, Self::Req];
}

impl TryFrom<u32> for IrqIndex {
    type Error = UnknownIrq;

    fn try_from(index: u32) -> Result<Self, UnknownIrq> {
        Self::ALL.get(index as usize).copied().ok_or(UnknownIrq(index))
    }
}

impl From<IrqIndex> for u32 {
    fn from(index: IrqIndex) -> u32 {
        index as u32
    }
}

impl fmt::Display for IrqIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Intx => "INTx",
            Self::Msi => "MSI",
            Self::Msix => "MSI-X",
            Self::Err => "ERR",
            Self::Req => "REQ",
        })
    }
}

/// Request and reply of `VFIO_USER_DEVICE_GET_IRQ_INFO`; a request sets `argsz` and `index`.
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
pub struct IrqInfo {
    /// The largest reply payload that the client accepts, in bytes; in the reply its size.
    pub argsz: U32,
    /// [`IrqInfoFlags`].
    pub flags: U32,
    /// An [`IrqIndex`].
    pub index: U32,
    /// The number of vectors.
    pub count: U32,
}

bitflags! {
    /// Flags of an [`IrqInfo`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct IrqInfoFlags: u32 {
        /// The vectors can be signalled through an eventfd.
        const EVENTFD = 0x1;
        /// The vectors can be masked and unmasked.
        const MASKABLE = 0x2;
        /// A vector masks itself when signalled.
        const AUTOMASKED = 0x4;
        /// Vectors cannot be added without disabling the index.
        const NORESIZE = 0x8;
    }
}

/// Request of `VFIO_USER_DEVICE_SET_IRQS`; the reply has no payload. With [`IrqData::Bool`] `count`
/// bytes follow; with [`IrqData::Eventfd`] `count` file descriptors or none are attached.
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
pub struct IrqSet {
    /// The size of the request payload, in bytes.
    pub argsz: U32,
    /// [`IrqSetFlags`].
    pub flags: U32,
    /// An [`IrqIndex`].
    pub index: U32,
    /// The first vector.
    pub start: U32,
    /// The number of vectors.
    pub count: U32,
}

bitflags! {
    /// Flags of an [`IrqSet`]: one kind of data and one action.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct IrqSetFlags: u32 {
        /// No data.
        const DATA_NONE = 0x1;
        /// One byte per vector.
        const DATA_BOOL = 0x2;
        /// One eventfd per vector.
        const DATA_EVENTFD = 0x4;
        /// Mask.
        const ACTION_MASK = 0x8;
        /// Unmask.
        const ACTION_UNMASK = 0x10;
        /// Trigger.
        const ACTION_TRIGGER = 0x20;
    }
}

/// The data of an [`IrqSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IrqData {
    /// No data: does the action now, on all of the vectors.
    None,
    /// One byte per vector: does the action now on vectors whose byte is not 0.
    Bool,
    /// One eventfd per vector, whose signal does the action from now on; without eventfds, removes
    /// the current ones.
    Eventfd,
}

/// The action of an [`IrqSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IrqAction {
    /// Masks the interrupts.
    Mask,
    /// Unmasks the interrupts.
    Unmask,
    /// Raises the interrupts.
    Trigger,
}

impl IrqSetFlags {
    /// Returns the flags for this kind of data and this action.
    pub fn new(data: IrqData, action: IrqAction) -> Self {
        let data = match data {
            IrqData::None => Self::DATA_NONE,
            IrqData::Bool => Self::DATA_BOOL,
            IrqData::Eventfd => Self::DATA_EVENTFD,
        };
        let action = match action {
            IrqAction::Mask => Self::ACTION_MASK,
            IrqAction::Unmask => Self::ACTION_UNMASK,
            IrqAction::Trigger => Self::ACTION_TRIGGER,
        };
        data | action
    }

    /// Returns the kind of data and the action; `None` unless there is exactly one of each and no
    /// unknown flag.
    pub fn split(self) -> Option<(IrqData, IrqAction)> {
        let data_flags = Self::DATA_NONE | Self::DATA_BOOL | Self::DATA_EVENTFD;
        let data = match self & data_flags {
            Self::DATA_NONE => IrqData::None,
            Self::DATA_BOOL => IrqData::Bool,
            Self::DATA_EVENTFD => IrqData::Eventfd,
            _ => return None,
        };
        let action = match self - data_flags {
            Self::ACTION_MASK => IrqAction::Mask,
            Self::ACTION_UNMASK => IrqAction::Unmask,
            Self::ACTION_TRIGGER => IrqAction::Trigger,
            _ => return None,
        };
        Some((data, action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<IrqInfo>(), 16);
        assert_eq!(size_of::<IrqSet>(), 20);
    }

    #[test]
    fn indices_convert_both_ways_and_others_are_refused() {
        for (number, index) in (0..).zip(IrqIndex::ALL) {
            assert_eq!(u32::from(index), number);
            assert_eq!(IrqIndex::try_from(number), Ok(index));
        }
        assert_eq!(IrqIndex::try_from(5), Err(UnknownIrq(5)));
        assert_eq!(IrqIndex::try_from(u32::MAX), Err(UnknownIrq(u32::MAX)));
    }

    #[test]
    fn indices_display_as_in_pci() {
        assert_eq!(IrqIndex::ALL.map(|i| i.to_string()), ["INTx", "MSI", "MSI-X", "ERR", "REQ"]);
    }

    #[test]
    fn nine_of_all_flag_words_split_and_each_is_made_again() {
        let split = (0..0x1_0000).filter_map(|bits| {
            let flags = IrqSetFlags::from_bits_retain(bits);
            flags.split().map(|(data, action)| (flags, IrqSetFlags::new(data, action)))
        });
        let split: Vec<_> = split.inspect(|(flags, again)| assert_eq!(flags, again)).collect();
        assert_eq!(split.len(), 9);
    }

    #[test]
    fn usual_combinations_have_their_usual_numbers() {
        assert_eq!(IrqSetFlags::new(IrqData::Eventfd, IrqAction::Trigger).bits(), 0x24);
        assert_eq!(IrqSetFlags::new(IrqData::None, IrqAction::Trigger).bits(), 0x21);
        assert_eq!(IrqSetFlags::new(IrqData::None, IrqAction::Mask).bits(), 0x09);
        assert_eq!(IrqSetFlags::new(IrqData::None, IrqAction::Unmask).bits(), 0x11);
        assert_eq!(IrqSetFlags::new(IrqData::Eventfd, IrqAction::Unmask).bits(), 0x14);
    }
}
