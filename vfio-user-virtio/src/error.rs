//! Why a queue cannot be served.

use std::io;

use vfio_user::{DmaError, FileTransferError};
use vm_memory::GuestMemoryError;

/// An error of a queue or of a request.
///
/// Except for an [interruption](Self::is_interruption), an error that
/// [`process`](crate::VirtioDevice::process) returns is logged, stops all queues and sets
/// `DEVICE_NEEDS_RESET`, until the driver resets the device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The size of a queue is invalid.
    #[error("a queue of {size} entries; a size is a power of two up to {max}")]
    QueueSize {
        /// What the driver wrote.
        size: u16,
        /// The largest size that the device offers.
        max: u16,
    },
    /// An area of a queue is not aligned: a descriptor table to 16 bytes, an available ring to 2, a
    /// used ring to 4.
    #[error("the {area} at {iova:#x} is not aligned")]
    Alignment {
        /// Which one.
        area: &'static str,
        /// Its address.
        iova: u64,
    },
    /// Rings and buffers have to be in memory that the client shares by a descriptor that can be
    /// mapped. Only [`Request::readable`](crate::Request::readable) and
    /// [`Request::writable`](crate::Request::writable) reach other memory.
    #[error(
        "memory is not mapped by the device: the client must share it as a descriptor that can be \
         mapped"
    )]
    NotMapped,
    /// The driver has offered more requests than the queue has entries.
    #[error("the available index is {index}, which is more than {size} entries after {next}")]
    AvailableIndex {
        /// The index in the available ring.
        index: u16,
        /// The index of the next request.
        next: u16,
        /// The size of the queue.
        size: u16,
    },
    /// A chain of descriptors is longer than its queue, runs in a circle, or leads out of its table
    /// or out of memory.
    #[error("the chain of descriptor {head} does not end within {size} descriptors")]
    Chain {
        /// The first descriptor.
        head: u16,
        /// The size of the queue.
        size: u16,
    },
    /// A descriptor that the device reads follows one that it writes.
    #[error("the chain of descriptor {head} has a readable descriptor after a writable one")]
    Order {
        /// The first descriptor.
        head: u16,
    },
    /// A range of a request reaches beyond its buffers.
    #[error("a request of {len} bytes has no bytes {start}..{end}")]
    Range {
        /// The first byte.
        start: u64,
        /// The byte after the last one.
        end: u64,
        /// The bytes that there are.
        len: u64,
    },
    /// The request is not one that the device can answer.
    #[error("malformed request: {0}")]
    Request(&'static str),
    /// The queue cannot be used.
    #[error(transparent)]
    Queue(virtio_queue::Error),
    /// Guest memory cannot be accessed.
    #[error(transparent)]
    Memory(GuestMemoryError),
    /// Guest memory cannot be accessed.
    #[error(transparent)]
    Dma(#[from] DmaError),
    /// Bytes cannot be moved between guest memory and a file.
    #[error(transparent)]
    Transfer(#[from] FileTransferError),
    /// A [`Reader`](crate::Reader) or [`Writer`](crate::Writer) has ended, or the device itself has
    /// failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// Returns whether the device is stopped, may not access memory now, or its session has ended.
    /// The request stays in the queue, and is performed when the device continues, here or where
    /// its state is loaded.
    pub fn is_interruption(&self) -> bool {
        self.dma().is_some_and(|error| {
            error.is_interruption() || matches!(error, DmaError::NotBusMaster { .. })
        })
    }

    /// Returns whether nothing is mapped at an address.
    pub(crate) fn is_unmapped(&self) -> bool {
        let is_outside = matches!(self, Error::Memory(GuestMemoryError::InvalidGuestAddress(_)));
        is_outside || matches!(self.dma(), Some(DmaError::Unmapped { .. }))
    }

    fn dma(&self) -> Option<&DmaError> {
        let io = match self {
            Error::Dma(error) | Error::Transfer(FileTransferError::Memory(error)) => {
                return Some(error);
            }
            Error::Memory(GuestMemoryError::IOError(error)) | Error::Io(error) => error,
            _ => return None,
        };
        io.get_ref()?.downcast_ref()
    }
}

impl From<GuestMemoryError> for Error {
    fn from(error: GuestMemoryError) -> Self {
        match error {
            GuestMemoryError::HostAddressNotAvailable => Error::NotMapped,
            error => Error::Memory(error),
        }
    }
}

impl From<virtio_queue::Error> for Error {
    fn from(error: virtio_queue::Error) -> Self {
        match error {
            virtio_queue::Error::GuestMemory(error)
            | virtio_queue::Error::GuestMemoryError(error) => error.into(),
            error => Error::Queue(error),
        }
    }
}
