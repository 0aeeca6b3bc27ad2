//! The limits of a served device.

use std::time::Duration;

use crate::protocol::{MAX_DATA_XFER_SIZE, MAX_DMA_MAPS, MIN_DATA_XFER_SIZE, request_size};
use crate::wait::FOR_EVER;

/// The limits of one served device: what its client, and the device for its client, may use.
///
/// They apply once a device is served, after [`Device::start`](crate::Device::start). The defaults
/// suit VMMs and protect the other devices of the process. A program changes what it needs:
///
/// ```
/// use std::time::Duration;
/// use vfio_user::{Limits, Server};
///
/// let mut limits = Limits::default();
/// limits.dma_maps = 64;
/// limits.mapped_bytes = 16 << 30;
/// limits.negotiation = Duration::from_secs(1);
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("device.sock");
/// let server = Server::bind(path)?.limits(limits);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What no field names is fixed, and listed with the others in `docs/sessions.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of data in one access or piece of migration data, announced as `max_data_xfer_size`;
    /// from 4 KiB to the default of 1 MiB, other values count as the nearest of these. More is
    /// refused with `EINVAL`, and with `E2BIG` if the message is longer than any valid one.
    pub message_data: usize,
    /// Regions of memory that the client may map, announced as `max_dma_maps`; at most the default
    /// of 65,535. More are refused with `ENOSPC`.
    pub dma_maps: usize,
    /// Bytes of the client's files that are mapped into the process; 16 TiB by default. Beyond it a
    /// file is read and written, or refused with `ENOMEM` if the client wants it mapped. All
    /// devices of a process together map 64 TiB.
    pub mapped_bytes: u64,
    /// Fetches whose events the device has not handled; 16,384 by default. More fail with
    /// [`DmaError::TooMuch`](crate::DmaError::TooMuch).
    pub fetches: usize,
    /// Bytes that hooks and fetches may have under way by messages; 16 MiB by default. More fail
    /// with [`DmaError::TooMuch`](crate::DmaError::TooMuch).
    pub queued_bytes: usize,
    /// Events of other threads that wait for the device; 4,096 by default. More are given back with
    /// [`PostError::Full`](crate::PostError::Full).
    pub events: usize,
    /// The time in which a connection must negotiate a version; 5 seconds by default. Later it is
    /// closed. A single connection that the server was given has no limit.
    pub negotiation: Duration,
    /// The time in which the client must answer a request of the server for its memory; 5 seconds
    /// by default. Later the access fails with
    /// [`DmaError::Unanswered`](crate::DmaError::Unanswered).
    pub answer: Duration,
    /// The time in which the device must release memory, to stop, or for an unmap or a reset; 4
    /// seconds by default, because clients wait five for an answer. Later the request is refused
    /// with `EBUSY`. A shutdown waits as long for a request that waits.
    pub release: Duration,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Limits {
        message_data: MAX_DATA_XFER_SIZE,
        dma_maps: MAX_DMA_MAPS,
        mapped_bytes: 16 << 40,
        fetches: 16 << 10,
        queued_bytes: 16 << 20,
        events: 4096,
        negotiation: Duration::from_secs(5),
        answer: Duration::from_secs(5),
        release: Duration::from_secs(4),
    };

    /// Returns the same limits within what the protocol, and the clock, allow.
    pub(crate) fn within_protocol(self) -> Self {
        Limits {
            message_data: self.message_data.clamp(MIN_DATA_XFER_SIZE, MAX_DATA_XFER_SIZE),
            dma_maps: self.dma_maps.min(MAX_DMA_MAPS),
            negotiation: self.negotiation.min(FOR_EVER),
            answer: self.answer.min(FOR_EVER),
            release: self.release.min(FOR_EVER),
            ..self
        }
    }

    /// Returns the size of the largest message that is received.
    pub(crate) fn message_size(&self) -> usize {
        request_size(self.message_data)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
