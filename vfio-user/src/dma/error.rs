//! Why an access to the client's memory failed.

use std::io;

use crate::protocol::Errno;

/// An access to the client's memory that was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DmaError {
    /// The guest does not let the device access memory, or the device sleeps.
    #[error("the function is no bus master, so that iova {iova:#x} cannot be accessed")]
    NotBusMaster {
        /// The first address.
        iova: u64,
    },
    /// The session in which this handle or guard was obtained has ended: the client left, or the
    /// function was reset. What the device does next needs a handle of the new session, from
    /// [`Cx::dma`](crate::Cx::dma).
    #[error(
        "the session of this access to iova {iova:#x} has ended: the client left or a reset came"
    )]
    SessionEnded {
        /// The first address.
        iova: u64,
    },
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
    /// The client mapped the range without a descriptor, so it has to be asked for what is there; but
    /// in a hook it waits for the device itself. [`Cx::fetch`](crate::Cx::fetch) does not wait, and
    /// threads of the device's own can.
    #[error("memory at iova {iova:#x} is reached by messages, whose answers no hook can wait for")]
    MessageMode {
        /// The first such address.
        iova: u64,
    },
    /// The client was asked, and has refused.
    #[error("the client refuses access to memory at iova {iova:#x}: {errno}")]
    Refused {
        /// Where the access started.
        iova: u64,
        /// What the client said.
        errno: Errno,
    },
    /// The client was asked, and has not answered in time.
    #[error("the client does not answer for memory at iova {iova:#x}")]
    Unanswered {
        /// Where the access started.
        iova: u64,
    },
    /// The client was asked, and its answer makes no sense.
    #[error("the client's answer for memory at iova {iova:#x} is malformed")]
    Malformed {
        /// Where the access started.
        iova: u64,
    },
    /// There is no client any more to be asked.
    #[error("the client that has memory at iova {iova:#x} is gone")]
    Disconnected {
        /// Where the access started.
        iova: u64,
    },
    /// With what waits for the client already, this would be more than 16 MiB.
    #[error("{len} bytes at iova {iova:#x} are more than may wait for the client")]
    TooMuch {
        /// The first address.
        iova: u64,
        /// Bytes asked for.
        len: usize,
    },
    /// The memory cannot be accessed a word at a time: it is reached by reading and writing a file, or
    /// by messages.
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

impl DmaError {
    /// Whether the access failed because the device is stopped, or because its session has ended:
    /// the request is not at fault. Work that meets this is given up without a trace: no status is
    /// written and no interrupt raised for it.
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
