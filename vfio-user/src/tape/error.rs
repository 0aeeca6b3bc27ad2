//! What can be wrong with a recording.

use std::io;

/// What is wrong with a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file does not begin as a recording does.
    #[error("this is no recording of a device")]
    NoRecording,
    /// The recording has another format.
    #[error("the recording has format {0}, accepted is {format}", format = super::FORMAT)]
    Format(u16),
    /// The recording has no end mark: its program was killed, or the disk was full.
    #[error("the recording ends early: no end mark after {entries} entries")]
    Truncated {
        /// The number of whole entries.
        entries: u64,
    },
    /// A frame is too long.
    #[error("entry {entry} has {len} bytes, accepted are 1 to {max}", max = super::MAX_FRAME)]
    Length {
        /// The number of the entry.
        entry: u64,
        /// The length.
        len: u32,
    },
    /// A frame does not match its checksum.
    #[error("entry {entry} is damaged: its checksum does not match")]
    Checksum {
        /// The number of the entry.
        entry: u64,
    },
    /// A frame holds no valid entry.
    #[error("entry {entry} is invalid: {problem}")]
    Entry {
        /// The number of the entry.
        entry: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes follow the last entry.
    #[error("bytes follow the end of the recording, entry {entry}")]
    TrailingBytes {
        /// The number of the last entry.
        entry: u64,
    },
}
