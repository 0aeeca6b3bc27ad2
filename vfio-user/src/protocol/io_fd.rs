//! File descriptors that replace accesses to registers.

use bitflags::bitflags;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Request and reply of `VFIO_USER_DEVICE_GET_REGION_IO_FDS`; a request sets `argsz` and `index`.
/// `count` times [`IoFd`] follow in the reply, and file descriptors are attached.
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
pub struct RegionIoFds {
    /// The largest reply payload that the client accepts, in bytes; in the reply the size of a
    /// complete one.
    pub argsz: U32,
    /// Reserved, 0.
    pub flags: U32,
    /// A [`RegionIndex`](super::RegionIndex).
    pub index: U32,
    /// The number of entries, 0 in the request.
    pub count: U32,
}

/// One entry of [`RegionIoFds`]: the file descriptor receives accesses to these bytes.
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
pub struct IoFd {
    /// The offset in the region.
    pub offset: U64,
    /// The size in bytes; 0 means an access of any width.
    pub size: U64,
    /// The index of the attached file descriptor, from 0.
    pub fd_index: U32,
    /// An [`IoFdType`].
    pub type_: U32,
    /// [`IoFdFlags`] of an ioeventfd, `KVM_IOREGION_*` of an ioregionfd.
    pub flags: U32,
    /// Reserved, 0.
    pub padding: U32,
    /// The data match of an ioeventfd, or the user data of an ioregionfd.
    pub datamatch: U64,
}

/// An [`IoFd`] in libvfio-user's layout, which adds memory for the written values.
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
pub struct ShadowIoFd {
    /// The offset in the region.
    pub offset: U64,
    /// The size in bytes; 0 means an access of any width.
    pub size: U64,
    /// The index of the attached eventfd, from 0; all ones for none.
    pub fd_index: U32,
    /// An [`IoFdType`], or [`ShadowIoFd::TYPE`].
    pub type_: U32,
    /// [`IoFdFlags`].
    pub flags: U32,
    /// With [`ShadowIoFd::TYPE`] the index of the attached memory.
    pub shadow_fd_index: U32,
    /// The offset in that memory, to which the value is written.
    pub shadow_offset: U64,
    /// The data match.
    pub datamatch: U64,
}

impl ShadowIoFd {
    /// The type of an entry with memory.
    pub const TYPE: u32 = 2;
}

bitflags! {
    /// Flags of an [`IoFd`] that is an ioeventfd (`KVM_IOEVENTFD_FLAG_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct IoFdFlags: u32 {
        /// Only writes of the value `datamatch` signal the eventfd.
        const DATAMATCH = 0x1;
        /// The region decodes I/O ports.
        const PORT = 0x2;
    }
}

/// The kind of file descriptor of an [`IoFd`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum IoFdType {
    /// An eventfd, signalled by a write.
    Ioeventfd = 0,
    /// A socket or pipe that carries each access.
    Ioregionfd = 1,
}

/// The error for a number that is not an [`IoFdType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown type {0} of a register's file descriptor, accepted are 0 and 1")]
pub struct UnknownIoFdType(pub u32);

impl TryFrom<u32> for IoFdType {
    type Error = UnknownIoFdType;

    fn try_from(number: u32) -> Result<Self, UnknownIoFdType> {
        match number {
            0 => Ok(Self::Ioeventfd),
            1 => Ok(Self::Ioregionfd),
            _ => Err(UnknownIoFdType(number)),
        }
    }
}

impl From<IoFdType> for u32 {
    fn from(type_: IoFdType) -> u32 {
        type_ as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<RegionIoFds>(), 16);
        assert_eq!(size_of::<IoFd>(), 40);
        assert_eq!(size_of::<ShadowIoFd>(), 48);
    }

    #[test]
    fn types_convert_both_ways_and_others_are_refused() {
        for number in 0..2 {
            assert_eq!(IoFdType::try_from(number).map(u32::from), Ok(number));
        }
        assert_eq!(IoFdType::try_from(2), Err(UnknownIoFdType(2)));
    }
}
