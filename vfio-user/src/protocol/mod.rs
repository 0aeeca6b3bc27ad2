//! The messages of the vfio-user protocol, version 0, as plain data.
//!
//! Layouts, numbers and names follow the vfio-user specification (`docs/interop/vfio-user.rst` of
//! QEMU) and, where it refers to the kernel's interface, `include/uapi/linux/vfio.h`. This module
//! only converts between bytes and structures; it uses no sockets and no devices.
//!
//! Every structure may be read from untrusted bytes. Its integers are little-endian and unchecked,
//! and it needs no alignment. Enumerations and flag types are created from its fields by a checked
//! conversion (`TryFrom`, `from_bits`, `split`), so that every existing value is valid.
//!
//! ```
//! use vfio_user::protocol::{Command, Header, RegionAccess, RegionIndex};
//! use zerocopy::{FromBytes, IntoBytes};
//!
//! let access = RegionAccess {
//!     offset: 0x10.into(),
//!     region: u32::from(RegionIndex::Config).into(),
//!     count: 4.into(),
//! };
//! let header = Header::request(18, Command::RegionRead, access.as_bytes().len(), false);
//! let message = [header.as_bytes(), access.as_bytes()].concat();
//!
//! let (header, payload) = Header::read_from_prefix(&message).unwrap();
//! assert_eq!(header.command(), Ok(Command::RegionRead));
//! assert_eq!(header.payload_size(), Some(payload.len()));
//! assert_eq!(RegionAccess::read_from_bytes(payload), Ok(access));
//! ```

mod capability;
mod command;
mod device;
mod dma;
mod errno;
mod feature;
mod header;
mod io_fd;
mod irq;
mod region;
mod version;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

pub use capability::{
    CAPABILITY_MSIX_MAPPABLE, CAPABILITY_SPARSE_MMAP, CAPABILITY_TYPE, CapabilityError,
    CapabilityHeader, RegionCapabilities, SparseArea, SparseMmap, TypeCapability,
};
pub use command::{Command, UnknownCommand};
pub use device::{DeviceFlags, DeviceInfo};
pub use dma::{DirtyBitmap, DmaAccess, DmaMap, DmaMapFlags, DmaUnmap, DmaUnmapFlags};
pub use errno::Errno;
pub use feature::{
    DeviceFeature, DmaLoggingRange, DmaLoggingReport, DmaLoggingStart, Feature, FeatureFlags,
    MigData, MigDataSize, MigDeviceState, MigrationFlags, MigrationInfo, MigrationState,
    UnknownFeature, UnknownMigrationState,
};
pub use header::{HEADER_SIZE, Header, MessageType};
pub use io_fd::{IoFd, IoFdFlags, IoFdType, RegionIoFds, ShadowIoFd, UnknownIoFdType};
pub use irq::{
    IrqAction, IrqData, IrqIndex, IrqInfo, IrqInfoFlags, IrqSet, IrqSetFlags, UnknownIrq,
};
pub use region::{RegionAccess, RegionFlags, RegionIndex, RegionInfo, WriteMulti, WriteMultiEntry};
pub use version::{Capabilities, MigrationCapability, TwinSocket, Version, VersionError};

/// The maximum bytes of data that we accept in one transfer (region or DMA access, migration data):
/// the specification's default of `max_data_xfer_size`.
pub const MAX_DATA_XFER_SIZE: usize = 1 << 20;

/// The smallest limit of data in one transfer that a program may set, in bytes.
pub(crate) const MIN_DATA_XFER_SIZE: usize = 4096;

/// The size of the largest request that a server accepts, in bytes: a `VFIO_USER_REGION_WRITE` of
/// [`MAX_DATA_XFER_SIZE`] bytes, with its header.
pub const MAX_MESSAGE_SIZE: usize = request_size(MAX_DATA_XFER_SIZE);

/// Returns the size of the largest request whose data is at most `data` bytes: one with as much, or
/// the longest without data, which is a version or a list of ranges.
pub(crate) const fn request_size(data: usize) -> usize {
    HEADER_SIZE + size_of::<RegionAccess>() + variable_data(data)
}

/// Returns the size of the largest message, request or reply, that a client receives if accesses
/// have at most `data` bytes.
pub(crate) const fn reply_size(data: usize) -> usize {
    // No reply with data or a bitmap has more before it.
    const HEAD: usize = size_of::<DmaUnmap>() + size_of::<DirtyBitmap>();
    HEADER_SIZE + HEAD + variable_data(data)
}

/// Returns how many bytes a list or a bitmap may have if accesses have at most `data` bytes.
pub(crate) const fn variable_data(data: usize) -> usize {
    const LONGEST_LIST: usize = 64 << 10;
    if data > LONGEST_LIST { data } else { LONGEST_LIST }
}

/// The size of the largest message that is read to its end and refused by an error reply, in bytes;
/// a larger one ends the connection.
pub const DRAIN_LIMIT: usize = 16 << 20;

/// The number of file descriptors in one message that we accept (`max_msg_fds`).
pub const MAX_MSG_FDS: usize = 16;

/// The number of simultaneous DMA mappings that we accept: the specification's default of
/// `max_dma_maps`.
pub const MAX_DMA_MAPS: usize = 65535;

/// The size of the largest dirty bitmap in a reply, in bytes (`max_bitmap_size`).
pub const MAX_BITMAP_SIZE: usize = 256 << 20;

/// The size of a page in bytes: the specification's default of `pgsizes`, and the granule of `mmap`
/// and of dirty page logs.
pub const PAGE_SIZE: u64 = 4096;
