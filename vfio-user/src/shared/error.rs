//! Errors of shared memory.

use std::io;

use nix::errno::Errno;

use crate::sys::Lost;

/// An error of an access to shared memory, which was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The bytes are not all shared.
    #[error("{len:#x} bytes at {offset:#x} are not all in shared memory")]
    Outside {
        /// First byte, from the start of the BAR.
        offset: u64,
        /// The number of bytes.
        len: u64,
    },
    /// The word is not aligned to its width.
    #[error("a word of {width} bytes at {offset:#x} is not aligned to its width")]
    Misaligned {
        /// First byte, from the start of the BAR.
        offset: u64,
        /// Its width in bytes.
        width: usize,
    },
    /// The server allows only reads of the region.
    #[error("the region cannot be written")]
    ReadOnly,
    /// The file behind the memory was truncated.
    #[error("the file behind shared memory was truncated, and its data is lost")]
    Lost,
}

impl From<Lost> for SharedError {
    fn from(_: Lost) -> Self {
        SharedError::Lost
    }
}

/// The reason why a file cannot be the memory of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedFileError {
    /// The BAR is not shared.
    #[error("BAR {bar} is not shared, and cannot use a file")]
    NotShared {
        /// The number of the BAR.
        bar: u8,
    },
    /// The offset is not aligned to a page; clients map whole pages.
    #[error("BAR {bar} cannot start at {offset:#x} of its file, which is no multiple of 0x1000")]
    Misaligned {
        /// The number of the BAR.
        bar: u8,
        /// The offset in the file.
        offset: u64,
    },
    /// The file ends before the shared memory.
    #[error("the file of BAR {bar} has {len:#x} bytes, and {needed:#x} are needed")]
    TooShort {
        /// The number of the BAR.
        bar: u8,
        /// The size of the file.
        len: u64,
        /// The number of bytes to the end of the last shared area.
        needed: u64,
    },
}

/// The reason why a device has no shared memory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    File(#[from] SharedFileError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    System(#[from] Errno),
}
