//! A range of the client's memory to read or to write, and its result.

use crate::dma::DmaError;
use crate::dma::status::Session;
use crate::protocol::{Command, Errno};

/// The memory of a transfer besides its bytes.
pub(super) const OVERHEAD: usize = 256;

/// Why a transfer was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused(Errno),
    Unanswered,
    Malformed,
    Disconnected,
    /// Its session has ended.
    Ended,
    Unmapped,
    /// The bytes that wait would exceed the limit.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub(super) fn command(self) -> Command {
        match self {
            Direction::Read => Command::DmaRead,
            Direction::Write => Command::DmaWrite,
        }
    }
}

/// Is called with the result: the bytes that were read, or written.
pub(super) type OnDone = Box<dyn FnOnce(Result<Vec<u8>, Failure>) + Send>;

/// A range to read or to write.
pub(super) struct Transfer {
    pub(super) session: Session,
    pub(super) direction: Direction,
    pub(super) iova: u64,
    /// Never empty.
    pub(super) data: Vec<u8>,
    /// Whether a thread waits for it. Transfers without one are limited.
    pub(super) has_waiter: bool,
    pub(super) on_done: OnDone,
}

impl Transfer {
    /// Returns its share of the limit.
    pub(super) fn weight(&self) -> usize {
        if self.has_waiter { 0 } else { self.data.len() + OVERHEAD }
    }
}

impl Failure {
    pub(super) fn at(self, iova: u64) -> DmaError {
        self.of(iova, 0)
    }

    pub(super) fn of(self, iova: u64, len: usize) -> DmaError {
        match self {
            Failure::Refused(errno) => DmaError::Refused { iova, errno },
            Failure::Unanswered => DmaError::Unanswered { iova },
            Failure::Malformed => DmaError::Malformed { iova },
            Failure::Disconnected => DmaError::Disconnected { iova },
            Failure::Ended => DmaError::SessionEnded { iova },
            Failure::Unmapped => DmaError::Unmapped { iova },
            Failure::Full => DmaError::TooMuch { iova, len },
        }
    }
}

/// Memory that is accessed by messages.
pub(in crate::dma) trait MessageRegion: Send + Sync + 'static {
    /// Returns its first address.
    fn first(&self) -> u64;

    /// Returns whether the client is unmapping it.
    fn is_being_unmapped(&self) -> bool;
}
