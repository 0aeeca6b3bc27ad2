//! Why an access to the client's memory failed.

use std::io;

/// An access to the client's memory that was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DmaError {
    /// The client has mapped nothing there.
    #[error("no memory is mapped at iova {iova:#x}")]
    Unmapped {
        /// The first address without memory.
        iova: u64,
    },
    /// The device is stopped, for migration or to be reset: what it has not done yet it does when it
    /// runs again, or never.
    #[error("the device is stopped and may not access memory at iova {iova:#x}")]
    Stopped {
        /// The first address.
        iova: u64,
    },
    /// The client does not let the device read there.
    #[error("memory at iova {iova:#x} is not readable by the device")]
    NotReadable {
        /// The first address that must not be read.
        iova: u64,
    },
    /// The client does not let the device write there.
    #[error("memory at iova {iova:#x} is not writable by the device")]
    NotWritable {
        /// The first address that must not be written.
        iova: u64,
    },
    /// The range ends behind 2^64.
    #[error("{len} bytes at iova {iova:#x} wrap around the address space")]
    Wraps {
        /// The first address.
        iova: u64,
        /// Bytes asked for.
        len: usize,
    },
    /// The access ends behind the memory that is held.
    #[error("{len} bytes at offset {offset:#x} are not inside the {held:#x} bytes that are held")]
    Outside {
        /// From the start of what is held.
        offset: u64,
        /// Bytes asked for.
        len: usize,
        /// Bytes that are held.
        held: u64,
    },
    /// The client mapped the range without a descriptor: it can only be reached by messages.
    #[error("memory at iova {iova:#x} was mapped without a descriptor")]
    MessageMode {
        /// The first such address.
        iova: u64,
    },
    /// The memory cannot be accessed a word at a time: it is reached by reading and writing a file.
    #[error("memory at iova {iova:#x} is not mapped, but read and written")]
    NotMapped {
        /// The first such address.
        iova: u64,
    },
    /// The word is not aligned to its size, for the guest or in memory.
    #[error("iova {iova:#x} is not aligned to the size of the word there")]
    Misaligned {
        /// Where the word starts.
        iova: u64,
    },
    /// The client has truncated the file behind the memory.
    #[error("the file behind the memory at iova {iova:#x} was truncated")]
    Lost {
        /// Where the region starts.
        iova: u64,
    },
    /// A file behind the memory could not be read or written.
    #[error("file access for iova {iova:#x} failed")]
    Io {
        /// Where the access started.
        iova: u64,
        /// What the system said.
        source: io::Error,
    },
}
