//! Why an access to the client's memory failed.

use std::io;

use crate::protocol::Errno;

/// An error of an access to the client's memory, which was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DmaError {
    /// The guest does not let the device access memory, or the device is in a low power state.
    #[error("iova {iova:#x} cannot be accessed because the function is not bus master")]
    NotBusMaster {
        /// The first address.
        iova: u64,
    },
    /// The session in which this handle or guard was obtained has ended: the client left, or the
    /// function was reset. Further accesses need a handle of the new session, from
    /// [`Cx::dma`](crate::Cx::dma).
    #[error(
        "the session of this access to iova {iova:#x} has ended: the client left or a reset occurred"
    )]
    SessionEnded {
        /// The first address.
        iova: u64,
    },
    /// The client has not mapped this address.
    #[error("no memory is mapped at iova {iova:#x}")]
    Unmapped {
        /// The first address without memory.
        iova: u64,
    },
    /// The device is stopped, for migration or for a reset. It continues its remaining work when it
    /// runs again, or never.
    #[error("the device is stopped and may not access memory at iova {iova:#x}")]
    Stopped {
        /// The first address.
        iova: u64,
    },
    /// The client does not grant the device the right to read there.
    #[error("memory at iova {iova:#x} is not readable by the device")]
    NotReadable {
        /// The first address that must not be read.
        iova: u64,
    },
    /// The client does not grant the device the right to write there.
    #[error("memory at iova {iova:#x} is not writable by the device")]
    NotWritable {
        /// The first address that must not be written.
        iova: u64,
    },
    /// The range ends beyond 2^64.
    #[error("{len} bytes at iova {iova:#x} wrap around the address space")]
    Wraps {
        /// The first address.
        iova: u64,
        /// The number of bytes requested.
        len: usize,
    },
    /// The access ends beyond the memory that is held.
    #[error("{len} bytes at offset {offset:#x} are not inside the {held:#x} bytes that are held")]
    Outside {
        /// From the start of the held memory.
        offset: u64,
        /// The number of bytes requested.
        len: usize,
        /// The number of bytes held.
        held: u64,
    },
    /// The client mapped the range without a descriptor, so only messages reach it; but in a hook
    /// the client waits for the device. [`Cx::fetch`](crate::Cx::fetch) does not wait, and threads
    /// of the device can wait.
    #[error("memory at iova {iova:#x} needs messages, whose answers a hook cannot wait for")]
    MessageMode {
        /// The first such address.
        iova: u64,
    },
    /// The client refused the request.
    #[error("the client refuses access to memory at iova {iova:#x}: {errno}")]
    Refused {
        /// The first address of the access.
        iova: u64,
        /// The error number of the client's answer.
        errno: Errno,
    },
    /// The client has not answered the request in time.
    #[error("the client did not answer in time for memory at iova {iova:#x}")]
    Unanswered {
        /// The first address of the access.
        iova: u64,
    },
    /// The client's answer is invalid.
    #[error("the client's answer for memory at iova {iova:#x} is malformed")]
    Malformed {
        /// The first address of the access.
        iova: u64,
    },
    /// The client that has the memory is gone.
    #[error("the client with memory at iova {iova:#x} is gone")]
    Disconnected {
        /// The first address of the access.
        iova: u64,
    },
    /// The data that waits for the client would exceed 16 MiB.
    #[error("{len} bytes at iova {iova:#x} exceed the limit of queued transfers")]
    TooMuch {
        /// The first address.
        iova: u64,
        /// The number of bytes requested.
        len: usize,
    },
    /// More objects are linked than the device accepts.
    #[error("more than {limit} objects are linked, the next one at iova {iova:#x}")]
    EndlessChain {
        /// The address of the first object that was not read.
        iova: u64,
        /// The maximum number of objects.
        limit: usize,
    },
    /// The memory cannot be accessed by words, because it is accessed by file I/O or by messages.
    #[error("memory at iova {iova:#x} is not mapped, but accessed by I/O or messages")]
    NotMapped {
        /// The first such address.
        iova: u64,
    },
    /// The word is not aligned to its size, in the guest's or in this process's memory.
    #[error("iova {iova:#x} is not aligned to the size of the word there")]
    Misaligned {
        /// The address of the word.
        iova: u64,
    },
    /// The client has truncated the file behind the memory.
    #[error("the file behind the memory at iova {iova:#x} was truncated")]
    Lost {
        /// The first address of the region.
        iova: u64,
    },
    /// A file behind the memory could not be read or written.
    #[error("file access for iova {iova:#x} failed")]
    Io {
        /// The first address of the access.
        iova: u64,
        /// The system's error.
        source: io::Error,
    },
}

impl DmaError {
    /// Returns whether the access failed because the device is stopped or its session has ended,
    /// and not because of the request. Drop the work then: write no status and raise no interrupt
    /// for it.
    ///
    /// ```
    /// # use vfio_user::{Dma, DmaError};
    /// /// Whether the request is finished, well or not.
    /// fn complete(dma: &Dma, status_at: u64, done: Result<(), DmaError>) -> bool {
    ///     match done {
    ///         Err(error) if error.is_interruption() => false,
    ///         done => dma.store(status_at, u8::from(done.is_err())).is_ok(),
    ///     }
    /// }
    /// ```
    pub fn is_interruption(&self) -> bool {
        matches!(
            self,
            DmaError::Stopped { .. }
                | DmaError::SessionEnded { .. }
                | DmaError::Disconnected { .. }
        )
    }
}
