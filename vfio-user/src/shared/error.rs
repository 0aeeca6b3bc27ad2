//! What can go wrong with shared memory.

use std::io;

use nix::errno::Errno;

use crate::sys::Lost;

/// Why shared memory was not accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// Not all of the bytes are shared.
    #[error("{len:#x} bytes at {offset:#x} are not all in shared memory")]
    Outside {
        /// First byte, from the start of the BAR.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// A word must be aligned to its width.
    #[error("a word of {width} bytes at {offset:#x} is not aligned to its width")]
    Misaligned {
        /// First byte, from the start of the BAR.
        offset: u64,
        /// In bytes.
        width: usize,
    },
    /// The server lets the region be read alone.
    #[error("the region cannot be written")]
    ReadOnly,
    /// The file behind the memory was truncated.
    #[error("the file behind shared memory was truncated, and what it held is lost")]
    Lost,
}

impl From<Lost> for SharedError {
    fn from(_: Lost) -> Self {
        SharedError::Lost
    }
}

/// Why a file cannot be the memory of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedFileError {
    /// The BAR is not shared.
    #[error("BAR {bar} is not shared, so it has no use for a file")]
    NotShared {
        /// Which.
        bar: u8,
    },
    /// Clients map whole pages.
    #[error("BAR {bar} cannot start at {offset:#x} of its file, which is no multiple of 0x1000")]
    Misaligned {
        /// Which.
        bar: u8,
        /// Where in the file it was to start.
        offset: u64,
    },
    /// The file ends before the shared memory.
    #[error("the file of BAR {bar} has {len:#x} bytes, and {needed:#x} are needed")]
    TooShort {
        /// Which.
        bar: u8,
        /// Bytes of the file.
        len: u64,
        /// Bytes to the end of the last shared area.
        needed: u64,
    },
}

/// Why a device has no shared memory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    File(#[from] SharedFileError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    System(#[from] Errno),
}
