//! A range of the client's memory to read or to write, and how that ends.

use crate::dma::DmaError;
use crate::dma::status::Session;
use crate::protocol::{Command, Errno};

/// What a transfer takes besides its bytes.
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
    /// More would wait than may.
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

/// What is told in the end: the bytes that were read, or written.
pub(super) type Then = Box<dyn FnOnce(Result<Vec<u8>, Failure>) + Send>;

/// A range to read or to write.
pub(super) struct Transfer {
    pub(super) session: Session,
    pub(super) direction: Direction,
    pub(super) iova: u64,
    /// Never empty.
    pub(super) data: Vec<u8>,
    /// Whether a thread waits for it. What nobody waits for is limited.
    pub(super) has_waiter: bool,
    pub(super) then: Then,
}

impl Transfer {
    /// What it adds to what is limited.
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

/// Memory that is reached by messages.
pub(in crate::dma) trait MessageRegion: Send + Sync + 'static {
    /// Its first address.
    fn first(&self) -> u64;

    /// Whether the client takes it away.
    fn is_departing(&self) -> bool;
}
