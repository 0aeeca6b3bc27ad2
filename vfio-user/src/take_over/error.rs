//! Why devices are not handed over.

use std::io;

use crate::migration::StateError;
use crate::parcel::ParcelError;
use crate::protocol::Errno;
use crate::transport::FramingError;

/// The reason why a program does not hand its devices over to another one, or does not take them
/// over. The old program then continues to serve them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeOverError {
    /// The connection between the programs failed.
    #[error("the connection between the programs failed")]
    Io(#[from] io::Error),
    /// The other program has sent something that is not a message.
    #[error("the other program broke the framing")]
    Framing(#[from] FramingError),
    /// The other program has closed the connection, or has ended.
    #[error("the other program closed the connection instead of sending {0}")]
    Closed(&'static str),
    /// The other program has not sent a message in time.
    #[error("the other program did not send {0} in time")]
    Late(&'static str),
    /// The other program has sent a different message than the one that is due.
    #[error("the other program sent message {kind} instead of {expected}")]
    Unexpected {
        /// The number of the message.
        kind: u16,
        /// The message that is due.
        expected: &'static str,
    },
    /// A message of the other program is damaged.
    #[error("{message} of the other program is malformed: {problem}")]
    Malformed {
        /// The message.
        message: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The other program belongs to another user.
    #[error("the other program belongs to user {theirs}, accepted is {ours}")]
    OtherUser {
        /// Its user.
        theirs: u32,
        /// The user of this program.
        ours: u32,
    },
    /// The other program uses another version of the format.
    #[error("the other program uses format {theirs}, this one {ours}")]
    Format {
        /// The version of the other program.
        theirs: u32,
        /// The version of this program.
        ours: u32,
    },
    /// The other program has other devices.
    #[error("the devices differ: the successor has {theirs}, this program {ours}")]
    OtherDevices {
        /// Those of the successor, by name and socket.
        theirs: String,
        /// Those of this program.
        ours: String,
    },
    /// The other program has refused, for this reason.
    #[error("the other program refused: {0}")]
    Refused(String),
    /// A device cannot be handed over in its present state.
    #[error("device `{device}` cannot be handed over: {problem}")]
    Device {
        /// Its name.
        device: String,
        /// The reason.
        problem: &'static str,
    },
    /// A [`Handle`](crate::Handle) has added, removed or disconnected a device meanwhile.
    #[error("a handle has added, removed or disconnected a device meanwhile")]
    Changed,
    /// The state of a device cannot be saved, or the new version of the device does not accept it.
    #[error("the state of device `{device}`: {source}")]
    State {
        /// Its name.
        device: String,
        /// What is wrong with the state.
        source: StateError,
    },
    /// Memory that the client has mapped cannot be mapped by the new program.
    #[error("the client's memory at {first:#x} cannot be mapped: {errno}")]
    Memory {
        /// The first address.
        first: u64,
        /// The error of the map.
        errno: Errno,
    },
    /// The new program has a smaller limit than the one that was announced to the client.
    #[error("the limit {limit} is {ours}, the client was promised {promised}")]
    Limit {
        /// The name of the limit.
        limit: &'static str,
        /// Its value.
        ours: usize,
        /// What was announced to the client.
        promised: usize,
    },
    /// The server uses several threads.
    #[error("a server on several threads cannot hand its devices over; accepted is one thread")]
    SeveralThreads,
    /// A hook of a device panicked.
    #[error("a hook of device `{0}` panicked")]
    Panicked(String),
    /// The program is about to end.
    #[error("the program is about to end")]
    Ending,
}

impl From<ParcelError> for TakeOverError {
    fn from(error: ParcelError) -> Self {
        TakeOverError::malformed("PARCEL", &error)
    }
}

impl TakeOverError {
    pub(crate) fn malformed(message: &'static str, problem: &impl ToString) -> Self {
        TakeOverError::Malformed { message, problem: problem.to_string() }
    }
}
