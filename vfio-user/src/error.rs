//! Errors of serving a device and of being its client.

mod pci;
mod reply;
mod structure;

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
pub use pci::PciError;
pub use reply::ReplyError;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of serving a device or of being its client.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another server listens on the socket.
    #[error("another server listens on {}", .0.display())]
    SocketInUse(PathBuf),
    /// The path exists and is not a socket; it was left alone.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The socket could not be created or reached.
    #[error("socket {} cannot be used", .path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The system's error.
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
    /// The server has no socket of its own at which to serve a device.
    #[error("the server has no socket of its own; add devices with their sockets")]
    NoSocket,
    /// The server has a socket of its own and no device for it:
    /// [`Server::serve`](crate::Server::serve) takes one.
    #[error("the server has a socket and no device for it; pass one to `serve`")]
    NoDevice,
    /// The server has ended and accepts no more devices.
    #[error("the server has ended")]
    Ended,
    /// `configure` returned a layout that is invalid.
    #[error(transparent)]
    Layout(Box<LayoutError<'static>>),
    /// A file that `configure` returned cannot be the memory of a BAR.
    #[error(transparent)]
    SharedFile(#[from] crate::shared::SharedFileError),
    /// The access to a device's shared memory is invalid.
    #[error(transparent)]
    Shared(#[from] crate::shared::SharedError),
    /// The client's memory cannot be accessed.
    #[error(transparent)]
    Dma(#[from] crate::dma::DmaError),
    /// A device's descriptor cannot be watched.
    #[error(transparent)]
    Watch(#[from] crate::wake::WatchError),
    /// The system refused a request.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer broke the framing of the stream; no later message can be decoded.
    #[error("the stream of messages is broken")]
    Framing(#[from] crate::transport::FramingError),
    /// The peer has disconnected.
    #[error("the peer closed the connection")]
    Disconnected,
    /// The maximum number of events wait for the device; see [`PostError`](crate::PostError).
    #[error("as many events wait for the device as its limit allows")]
    MailboxFull,
    /// The device that the event was posted to is gone; see [`PostError`](crate::PostError).
    #[error("the device is gone")]
    DeviceGone,
    /// The session of the posted event has ended; see [`PostError`](crate::PostError).
    #[error("the session that the event belongs to has ended")]
    SessionEnded,
    /// The device already has a client, and accepts no other one meanwhile.
    #[error("another client is attached to the device")]
    DeviceInUse,
    /// The server answered a request with an error.
    #[error("{command} failed: {errno}")]
    Refused {
        /// The request.
        command: crate::protocol::Command,
        /// The error number of the answer.
        errno: Errno,
    },
    /// The server's version or capabilities are invalid or not supported.
    #[error("the version negotiation failed")]
    Version(#[from] VersionError),
    /// The server's answer does not conform to the specification.
    #[error("malformed answer to {command}: {problem}")]
    Malformed {
        /// The request.
        command: crate::protocol::Command,
        /// What is wrong with it.
        problem: ReplyError,
    },
    /// The file of a region does not live in memory, and the server may make accesses to it hang;
    /// [`RegionDetails::map_any_file`](crate::client::RegionDetails::map_any_file) maps it.
    #[error("the file of the region is no memfd and no file of tmpfs or hugetlbfs")]
    FileNotInMemory,
    /// A region cannot be mapped within the limits of the client:
    /// [`ClientLimits`](crate::client::ClientLimits).
    #[error("a map of {wanted} bytes would exceed the limit of {maps} maps, or of {bytes} bytes")]
    MapLimit {
        /// The number of bytes of the map.
        wanted: u64,
        /// The maximum number of maps.
        maps: usize,
        /// The maximum number of mapped bytes.
        bytes: u64,
    },
    /// No answer arrived in time. A late answer is dropped, and other requests can be sent.
    #[error("no answer to {0} in time")]
    Timeout(crate::protocol::Command),
    /// An argument cannot be sent to this server.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The PCI function is malformed, or lacks what is requested.
    #[error(transparent)]
    Pci(#[from] PciError),
    /// A message holds a value that the protocol does not define.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// An error number of the protocol.
    #[error(transparent)]
    Errno(#[from] Errno),
    /// The bits are not a valid value of a register's type.
    #[error(transparent)]
    UnknownValue(#[from] crate::model::UnknownValue),
    /// State cannot be saved or loaded.
    #[error(transparent)]
    Stream(#[from] crate::migration::StateError),
    /// The file that keeps a device's state cannot be read or written.
    #[error("state file {} cannot be used", .path.display())]
    StateFile {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The device does not accept the state in its file, or the file holds none.
    #[error("state file {} cannot be loaded", .path.display())]
    State {
        /// Its path.
        path: PathBuf,
        /// What is wrong with the state.
        source: crate::migration::StateError,
    },
    /// A private field of a new device cannot be saved: its type serializes differently than it
    /// deserializes.
    #[error("a new device cannot be saved: {0}")]
    Unsavable(crate::migration::StateError),
    /// The devices of another program cannot be taken over; that program continues with them,
    /// unless it has ended.
    #[error("the devices of the other program are not taken over")]
    TakeOver(#[source] Box<crate::take_over::TakeOverError>),
    /// The device author's code failed.
    #[error(transparent)]
    Device(Box<dyn std::error::Error + Send + Sync>),
    /// The error of a tool of this crate, in its own type: a
    /// [`MigrationError`](crate::client::MigrationError), a
    /// [`PeekError`](crate::function::PeekError).
    #[error(transparent)]
    Tool(Box<dyn std::error::Error + Send + Sync>),
}

/// Why an argument cannot be sent to a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// The range of a region ends beyond 2^64.
    #[error("{len} bytes at offset {offset:#x} wrap around")]
    Wraps {
        /// From the start of the region.
        offset: u64,
        /// In bytes.
        len: usize,
    },
    /// A range of memory is empty, or ends beyond 2^64.
    #[error("{size:#x} bytes at {iova:#x} are not a valid range")]
    NoRange {
        /// The first address.
        iova: u64,
        /// In bytes.
        size: u64,
    },
    /// A part of the range is already mapped.
    #[error("{size:#x} bytes at {iova:#x} are partly mapped already")]
    Overlaps {
        /// The first address.
        iova: u64,
        /// In bytes.
        size: u64,
    },
    /// The range is not aligned to the server's pages; the server maps only whole pages.
    #[error("{size:#x} bytes at {iova:#x} are not aligned to the server's pages of {page:#x}")]
    Unaligned {
        /// The first address.
        iova: u64,
        /// In bytes.
        size: u64,
        /// The smallest page of the server.
        page: u64,
    },
    /// No range of addresses is free for memory.
    #[error("no {0:#x} bytes of addresses are free for memory")]
    NoAddresses(u64),
    /// The server accepts no more mappings.
    #[error("the server accepts at most {0} mappings")]
    TooManyMappings(u64),
    /// The number of ranges exceeds what one message can carry.
    #[error("{0} ranges are too many")]
    TooManyRanges(usize),
    /// The range of vectors is empty.
    #[error("the range of vectors {0:?} is empty")]
    NoVectors(Range<u32>),
    /// The number of vectors exceeds what one message can carry.
    #[error("{0} vectors are too many")]
    TooManyVectors(usize),
    /// One message cannot carry so many bytes.
    #[error("{len} bytes exceed the {most} that one message can carry here")]
    TooLong {
        /// The number of bytes.
        len: usize,
        /// The maximum number.
        most: usize,
    },
    /// The server has not agreed to several writes in one message.
    #[error("the server does not accept several writes in one message")]
    NoWriteMultiple,
    /// The page size of a bitmap is not a power of two.
    #[error("page size {0:#x} is not a power of two")]
    PageSize(u64),
    /// The bitmap does not fit in a message.
    #[error("a bitmap of {bytes} bytes exceeds the limit of {most}")]
    BitmapTooLarge {
        /// Its size.
        bytes: u64,
        /// The maximum size.
        most: usize,
    },
}

/// A value in a message that the protocol does not define.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// An unknown number of a command.
    #[error(transparent)]
    Command(#[from] UnknownCommand),
    /// An unknown number of a feature.
    #[error(transparent)]
    Feature(#[from] UnknownFeature),
    /// An unknown number of a migration state.
    #[error(transparent)]
    MigrationState(#[from] UnknownMigrationState),
    /// An unknown number of an interrupt index.
    #[error(transparent)]
    Irq(#[from] UnknownIrq),
    /// An unknown type of a register's file descriptor.
    #[error(transparent)]
    IoFdType(#[from] UnknownIoFdType),
    /// Invalid capabilities of a region.
    #[error(transparent)]
    Capability(#[from] CapabilityError),
}

impl From<crate::take_over::TakeOverError> for Error {
    fn from(error: crate::take_over::TakeOverError) -> Self {
        Error::TakeOver(error.into())
    }
}

impl From<LayoutError<'static>> for Error {
    fn from(error: LayoutError<'static>) -> Self {
        Error::Layout(error.into())
    }
}

/// Implements conversions of errors that go through another error.
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

impl Error {
    /// Converts an error number of the system. Not a `From`, because the type belongs to another
    /// crate.
    pub(crate) fn system(errno: nix::errno::Errno) -> Self {
        Error::Io(errno.into())
    }

    /// Wraps an error of a device, to be returned from
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

/// Drops the event.
impl<E> From<PostError<E>> for Error {
    fn from(error: PostError<E>) -> Self {
        match error {
            PostError::Full(_) => Error::MailboxFull,
            PostError::Gone(_) => Error::DeviceGone,
            PostError::SessionEnded(_) => Error::SessionEnded,
        }
    }
}
