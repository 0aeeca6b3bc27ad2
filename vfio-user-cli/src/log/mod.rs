//! Logs of connections: what `vfu proxy --log` writes and `vfu replay` reads. `docs/proxy.md`
//! documents the format.

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::descriptor::Descriptor;

pub(crate) use read::{LogError, Reader};
pub(crate) use write::Writer;

/// The first bytes of a log.
const MAGIC: [u8; 8] = *b"VFUPROXY";
/// The version of the format.
const VERSION: u32 = 1;
/// The size of the head of a file, and of that of a record, in bytes.
const FILE_HEAD: usize = 16;
const RECORD_HEAD: usize = 24;
/// The size of a descriptor of a record, in bytes.
const DESCRIPTOR: usize = 16;
/// The most descriptors of a record: Linux passes no more with one send.
pub(crate) const MAX_DESCRIPTORS: usize = 253;
/// The size of the largest body of a record, in bytes.
const MAX_BODY: usize = vfio_user::protocol::DRAIN_LIMIT;

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    Client,
    Server,
}

impl Sender {
    pub(crate) fn other(self) -> Self {
        match self {
            Sender::Client => Sender::Server,
            Sender::Server => Sender::Client,
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Sender::Client => "client",
            Sender::Server => "server",
        })
    }
}

/// The way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// The number of the connection, from 1.
    pub(crate) connection: u32,
    /// Whether the message takes the second socket, of the server's commands.
    pub(crate) is_twin: bool,
    pub(crate) from: Sender,
}

impl Route {
    /// Returns the way of a reply.
    pub(crate) fn back(self) -> Self {
        Route { from: self.from.other(), ..self }
    }
}

/// What happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client has connected.
    Connected = 1,
    /// A message, with its header.
    Message = 2,
    /// Bytes after a malformed header, where no message is found any more.
    Unframed = 3,
    /// The sender has closed its end.
    End = 4,
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The time since the start of the log.
    pub(crate) time: Duration,
    pub(crate) kind: Kind,
    pub(crate) route: Route,
    pub(crate) descriptors: Vec<Descriptor>,
    pub(crate) body: Vec<u8>,
}
