//! What can be wrong with the answers of a server.

use std::ops::Range;

use crate::protocol::{CapabilityError, UnknownMigrationState};

/// What is wrong with the answer of a server: the problem of
/// [`Error::Malformed`](crate::Error::Malformed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The answer names another command than the request.
    #[error("it names command {0}")]
    Command(u16),
    /// The answer exceeds the size that any message may have.
    #[error("it has {0} bytes")]
    TooLarge(usize),
    /// The answer carries more descriptors than the client accepts.
    #[error("it carries {got} descriptors, accepted are {most}")]
    Descriptors {
        /// The number of descriptors that it carries.
        got: usize,
        /// The limit of the client.
        most: usize,
    },
    /// The answer ends before its fixed part does, or before its data.
    #[error("{got} bytes of payload, fewer than {least}")]
    TooShort {
        /// The number of bytes that it has.
        got: usize,
        /// The number of bytes that it has to have.
        least: usize,
    },
    /// The answer has another number of bytes than was requested or than it says.
    #[error("{got} bytes instead of {expected}")]
    Length {
        /// The number of bytes that it has.
        got: usize,
        /// The number of bytes that it has to have.
        expected: usize,
    },
    /// The size that the whole answer needs is not plausible.
    #[error("it needs {needed} bytes, accepted are {least} to {most}")]
    Needs {
        /// The size that it names.
        needed: u32,
        /// The smallest accepted size.
        least: u32,
        /// The largest accepted size.
        most: u32,
    },
    /// The answer is neither of the proposed version nor of an earlier one.
    #[error("version {major}.{minor} was not proposed, 0.0 was")]
    Version {
        /// The major version of the answer.
        major: u16,
        /// The minor version of the answer.
        minor: u16,
    },
    /// The server accepts no data at all.
    #[error("a max_data_xfer_size of 0 lets nothing through")]
    NoTransfer,
    /// The answer names a descriptor that it does not carry.
    #[error("it names descriptor {index:?} of {count}")]
    NoDescriptor {
        /// The index that it names, if any.
        index: Option<u64>,
        /// The number of descriptors that it carries.
        count: usize,
    },
    /// The descriptor of the twin socket is of something else.
    #[error("the twin socket is no connected UNIX stream socket")]
    TwinSocket,
    /// The device has more regions or interrupt indices than is plausible.
    #[error("{regions} regions and {irqs} interrupt indices, accepted are up to {most:?}")]
    Device {
        /// The number of regions.
        regions: u32,
        /// The number of interrupt indices.
        irqs: u32,
        /// The accepted numbers of both.
        most: (u32, u32),
    },
    /// The migration state is unknown.
    #[error(transparent)]
    MigrationState(#[from] UnknownMigrationState),
    /// The capabilities of a region are invalid.
    #[error(transparent)]
    Capability(#[from] CapabilityError),
    /// An area that can be mapped is not inside its region.
    #[error("an area of {size:#x} bytes at {offset:#x} is not inside the region's {region:#x}")]
    Area {
        /// The start of the area in the region.
        offset: u64,
        /// The size of the area in bytes.
        size: u64,
        /// The size of the region in bytes.
        region: u64,
    },
    /// Two areas that can be mapped overlap.
    #[error("the areas {0:#x?} and {1:#x?} overlap")]
    Overlap(Range<u64>, Range<u64>),
    /// There are several files, and not one for each area.
    #[error("{files} files for {areas} areas")]
    Files {
        /// The number of files.
        files: usize,
        /// The number of areas.
        areas: usize,
    },
    /// An area ends beyond 2^64 in its file.
    #[error("{0:#x?} is in no file")]
    NotInFile(Range<u64>),
    /// The file of a region ends before the region.
    #[error("its file has {len:#x} bytes, {needed:#x} are needed")]
    FileTooShort {
        /// The size of the file in bytes.
        len: u64,
        /// The end of the area in the file.
        needed: u64,
    },
    /// The list of doorbells is not cut into entries of a known size.
    #[error("{count} entries in {bytes} bytes")]
    Entries {
        /// The number of entries.
        count: usize,
        /// The size of all of them in bytes.
        bytes: usize,
    },
    /// A doorbell is written by words of this many bytes, which do not exist.
    #[error("writes of {0} bytes")]
    DoorbellSize(u64),
    /// A doorbell is not inside its region.
    #[error("{size} bytes at {offset:#x} of a region of {region:#x}")]
    Doorbell {
        /// The start of the doorbell in the region.
        offset: u64,
        /// The size of the doorbell in bytes.
        size: u64,
        /// The size of the region in bytes.
        region: u64,
    },
    /// A doorbell has unknown flags.
    #[error("flags of {0:#x}")]
    DoorbellFlags(u32),
    /// The value that rings a doorbell does not fit in it.
    #[error("a value of {value:#x} in {size} bytes")]
    DoorbellValue {
        /// The value.
        value: u64,
        /// The size of the doorbell in bytes.
        size: u64,
    },
    /// The descriptor of a doorbell is no eventfd, or cannot be used.
    #[error("descriptor {index} is no usable eventfd")]
    DoorbellDescriptor {
        /// The index of the descriptor.
        index: usize,
    },
    /// The size of a part of a state exceeds what was requested, or what the answer holds.
    #[error("{size} bytes of state in {got}, of {most} requested")]
    State {
        /// The size that the answer names.
        size: usize,
        /// The number of bytes that the answer has.
        got: usize,
        /// The number of bytes that were requested.
        most: usize,
    },
    /// The server has done more writes than were sent.
    #[error("{done} writes of {sent}")]
    Writes {
        /// The number of writes that the answer names.
        done: u64,
        /// The number of writes that were sent.
        sent: usize,
    },
}
