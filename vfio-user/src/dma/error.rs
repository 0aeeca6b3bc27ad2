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
    /// The client mapped the range without a descriptor: it can only be reached by messages.
    #[error("memory at iova {iova:#x} was mapped without a descriptor")]
    MessageMode {
        /// The first such address.
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
