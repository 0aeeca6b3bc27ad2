//! Messages decoded into named fields, for the commands that show them.

#[macro_use]
mod flags;

mod body;
mod command;
mod feature;
mod value;

#[cfg(test)]
mod tests;

use vfio_user::protocol::{CapabilityError, Header, MessageType, UnknownCommand, VersionError};
use vfio_user::zerocopy::FromBytes;

pub(crate) use command::{CommandName, parse_command};
pub(crate) use value::{Fields, Value};

/// A message in parts that have names.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) header: Header,
    pub(crate) fields: Fields,
    /// Why the message is malformed. The fields that could be read are there nevertheless.
    pub(crate) problem: Option<Problem>,
}

/// Why a message is malformed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0} bytes are no header, which has 16")]
    NoHeader(usize),
    #[error("type {0} of a message, accepted are 0 (command) and 1 (reply)")]
    Type(u32),
    #[error(transparent)]
    Command(UnknownCommand),
    #[error("a payload of {has} bytes, at least {needs} are needed")]
    TooShort { has: usize, needs: usize },
    #[error("{0} bytes follow the payload")]
    Surplus(usize),
    #[error("{has} bytes of data, the message says {says}")]
    Data { has: usize, says: u64 },
    #[error("flags {0:#x} are no combination of the protocol")]
    Flags(u32),
    #[error(transparent)]
    Capability(CapabilityError),
    #[error(transparent)]
    Version(VersionError),
}

/// Decodes a message: a header and its payload.
pub(crate) fn decode(message: &[u8]) -> Decoded {
    let Ok((header, payload)) = Header::read_from_prefix(message) else {
        let problem = Some(Problem::NoHeader(message.len()));
        return Decoded { header: Header::default(), fields: Fields::default(), problem };
    };
    let (fields, problem) = match (header.message_type(), header.command()) {
        (None, _) => refused(payload, Problem::Type(header.flags.get() & 0xf)),
        (_, Err(unknown)) => refused(payload, Problem::Command(unknown)),
        (Some(MessageType::Reply), Ok(_)) if header.errno().is_some() => error_reply(payload),
        (Some(kind), Ok(command)) => body::decode(command, kind, payload),
    };
    Decoded { header, fields, problem }
}

/// The fields of a payload without a known layout.
fn refused(payload: &[u8], problem: Problem) -> (Fields, Option<Problem>) {
    let mut fields = Fields::default();
    if !payload.is_empty() {
        fields.push("data", Value::Data(payload.to_vec()));
    }
    (fields, Some(problem))
}

/// An error reply has no payload; libvfio-user sends one, which clients ignore.
fn error_reply(payload: &[u8]) -> (Fields, Option<Problem>) {
    let (fields, _) = refused(payload, Problem::Surplus(payload.len()));
    (fields, None)
}

impl Decoded {
    pub(crate) fn id(&self) -> u16 {
        self.header.message_id.get()
    }

    pub(crate) fn is_reply(&self) -> bool {
        self.header.message_type() == Some(MessageType::Reply)
    }

    pub(crate) fn command(&self) -> CommandName {
        CommandName(self.header.command.get())
    }
}
