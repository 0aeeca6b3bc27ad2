//! What can go wrong in serving a device or in being its client.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use crate::layout::LayoutError;
use crate::protocol::{
    CapabilityError, Errno, UnknownCommand, UnknownFeature, UnknownIoFdType, UnknownIrq,
    UnknownMigrationState, VersionError,
};
use crate::shared::SetupError;
use crate::wake::PostError;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in serving a device or in being its client.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another server listens on the socket.
    #[error("another server listens on {}", .0.display())]
    SocketInUse(PathBuf),
    /// What is at the path is not a socket, and was left alone.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The socket could not be made or reached.
    #[error("socket {} cannot be used", .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An inherited descriptor cannot be served.
    #[error("descriptor {fd} cannot be served")]
    Descriptor {
        /// Its number.
        fd: i32,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The server has no socket of its own, at which a device could be served.
    #[error("the server has no socket of its own; devices are added with theirs")]
    NoSocket,
    /// The server has a socket of its own and no device for it:
    /// [`Server::serve`](crate::Server::serve) takes one.
    #[error("the server has a socket and no device for it; `serve` takes one")]
    NoDevice,
    /// The server has ended, and takes no more devices.
    #[error("the server has ended")]
    Ended,
    /// What `configure` made of the device cannot work.
    #[error(transparent)]
    Layout(#[from] LayoutError<'static>),
    /// A file that `configure` gave cannot be the memory of a BAR.
    #[error(transparent)]
    SharedFile(#[from] crate::shared::SharedFileError),
    /// A device's shared memory cannot be accessed like that.
    #[error(transparent)]
    Shared(#[from] crate::shared::SharedError),
    /// The client's memory cannot be accessed.
    #[error(transparent)]
    Dma(#[from] crate::dma::DmaError),
    /// A device's own descriptor cannot be watched.
    #[error(transparent)]
    Watch(#[from] crate::wake::WatchError),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer broke the framing of the stream; nothing that follows can be understood.
    #[error("the stream of messages is broken")]
    Framing(#[from] crate::transport::FramingError),
    /// The peer is gone.
    #[error("the peer closed the connection")]
    Disconnected,
    /// As many events wait for the device as may; see [`PostError`](crate::PostError).
    #[error("the device has {} events waiting and takes no more", crate::Remote::<()>::CAPACITY)]
    MailboxFull,
    /// The device to which an event was posted is gone; see [`PostError`](crate::PostError).
    #[error("the device is gone")]
    DeviceGone,
    /// The session that a posted event belongs to has ended; see [`PostError`](crate::PostError).
    #[error("the session that the event belongs to has ended")]
    SessionEnded,
    /// The device has a client already, and takes no other one meanwhile.
    #[error("another client is attached to the device")]
    DeviceInUse,
    /// The server answered a request with an error.
    #[error("{command} failed: {errno}")]
    Refused {
        /// The request.
        command: crate::protocol::Command,
        /// The server's answer.
        errno: Errno,
    },
    /// The server's version or capabilities make no sense to us.
    #[error("no version could be agreed on")]
    Version(#[from] VersionError),
    /// The server's answer is not what the specification says.
    #[error("malformed answer to {command}: {problem}")]
    Malformed {
        /// The request.
        command: crate::protocol::Command,
        /// What is wrong.
        problem: String,
    },
    /// No answer came in time. One that still comes is dropped, and other requests can be made.
    #[error("no answer to {0} in time")]
    Timeout(crate::protocol::Command),
    /// An argument cannot be sent to this server.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// What a message holds is not what the protocol knows.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// An error number of the protocol.
    #[error(transparent)]
    Errno(#[from] Errno),
    /// Bits are no value of a register's type.
    #[error(transparent)]
    UnknownValue(#[from] crate::model::UnknownValue),
    /// State cannot be saved or loaded.
    #[error(transparent)]
    Stream(#[from] crate::migration::StateError),
    /// A file in which a device's state is kept cannot be read or written.
    #[error("state file {} cannot be used", .path.display())]
    StateFile {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A device does not take the state that is kept for it, or has none.
    #[error("state file {} is of no use", .path.display())]
    State {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: crate::migration::StateError,
    },
    /// The device is constructed with state that cannot be saved, and older versions lack a part of
    /// it.
    #[error("the state of the device as it was constructed cannot be saved")]
    InitialState(#[source] crate::migration::StateError),
    /// A private field of a new device cannot be saved: its type is written as something else than
    /// it is read as.
    #[error("a new device cannot be saved: {0}")]
    Unsavable(crate::migration::StateError),
    /// The author's own code failed.
    #[error(transparent)]
    Device(Box<dyn std::error::Error + Send + Sync>),
    /// What a tool of this crate returns, by its own type: a
    /// [`Failure`](crate::client::Failure) of a migration, an
    /// [`InquiryError`](crate::InquiryError).
    #[error(transparent)]
    Tool(Box<dyn std::error::Error + Send + Sync>),
}

/// Why an argument cannot be sent to a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// The range of a region ends behind 2^64.
    #[error("{len} bytes at offset {offset:#x} wrap around")]
    Wraps {
        /// From the start of the region.
        offset: u64,
        /// In bytes.
        len: usize,
    },
    /// A range of memory is empty, or ends behind 2^64.
    #[error("{size:#x} bytes at {iova:#x} are no range")]
    NoRange {
        /// The first address.
        iova: u64,
        /// In bytes.
        size: u64,
    },
    /// A part of the range is mapped already.
    #[error("{size:#x} bytes at {iova:#x} are mapped in part")]
    Overlaps {
        /// The first address.
        iova: u64,
        /// In bytes.
        size: u64,
    },
    /// The server maps whole pages.
    #[error("{size:#x} bytes at {iova:#x} are not aligned to the server's pages of {page:#x}")]
    Unaligned {
        /// The first address.
        iova: u64,
        /// In bytes.
        size: u64,
        /// The smallest page of the server.
        page: u64,
    },
    /// The server takes no more mappings.
    #[error("the server takes no more than {0} mappings")]
    TooManyMappings(u64),
    /// More ranges than a message can name.
    #[error("{0} ranges are too many")]
    TooManyRanges(usize),
    /// A request for no interrupt.
    #[error("vectors {0:?} are none at all")]
    NoVectors(Range<u32>),
    /// More interrupts than a message can name.
    #[error("{0} vectors are too many")]
    TooManyVectors(usize),
    /// Pages of a bitmap have sizes that are powers of two.
    #[error("a page size of {0:#x}, accepted are powers of two")]
    PageSize(u64),
    /// The bitmap does not fit in a message.
    #[error("a bitmap of {bytes} bytes, accepted are {most}")]
    BitmapTooLarge {
        /// Its size.
        bytes: u64,
        /// The most that fit.
        most: usize,
    },
}

/// What a message holds is not what the protocol knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The number of a command.
    #[error(transparent)]
    Command(#[from] UnknownCommand),
    /// The number of a feature.
    #[error(transparent)]
    Feature(#[from] UnknownFeature),
    /// The number of a state.
    #[error(transparent)]
    MigrationState(#[from] UnknownMigrationState),
    /// The number of an interrupt index.
    #[error(transparent)]
    Irq(#[from] UnknownIrq),
    /// The type of a register's file descriptor.
    #[error(transparent)]
    IoFdType(#[from] UnknownIoFdType),
    /// The capabilities of a region.
    #[error(transparent)]
    Capability(#[from] CapabilityError),
}

/// Errors that convert by way of another one.
macro_rules! convert {
    ($($error:ty => $way:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                <$way>::from(error).into()
            }
        })*
    };
}

convert! {
    UnknownCommand => ProtocolError,
    UnknownFeature => ProtocolError,
    UnknownMigrationState => ProtocolError,
    UnknownIrq => ProtocolError,
    UnknownIoFdType => ProtocolError,
    CapabilityError => ProtocolError,
    crate::migration::StreamError => crate::migration::StateError,
}

/// The message, and what caused it: what a program shows whose `main` returns an error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error {
    /// What the system refused. Not `From`: the type is another crate's.
    pub(crate) fn system(errno: nix::errno::Errno) -> Self {
        Error::Io(errno.into())
    }

    /// Wraps an error of a device's own, to be returned from
    /// [`Device::configure`](crate::Device::configure) or [`Device::start`](crate::Device::start).
    pub fn device(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Device(error.into())
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::File(error) => error.into(),
            SetupError::Io(error) => error.into(),
            SetupError::System(errno) => Error::system(errno),
        }
    }
}

/// The event is dropped.
impl<E> From<PostError<E>> for Error {
    fn from(error: PostError<E>) -> Self {
        match error {
            PostError::Full(_) => Error::MailboxFull,
            PostError::Gone(_) => Error::DeviceGone,
            PostError::SessionEnded(_) => Error::SessionEnded,
        }
    }
}
