//! Differences between a log and a server, printed as text and as JSON.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::Serialize;

use super::link::Stop;
use crate::description::Description;
use crate::message::{Decoded, Fields, Value};

/// A message of the server that is not that of the log.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    /// The number of the message among those of its connection, and its time in the log.
    #[serde(rename = "message")]
    pub(super) number: u64,
    #[serde(serialize_with = "as_seconds")]
    pub(super) time: Duration,
    #[serde(flatten)]
    pub(super) about: About,
    #[serde(flatten)]
    pub(super) what: What,
}

/// The message, or the request that it replies to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    command: String,
    /// What the message is about, without its data.
    fields: Fields,
}

/// What differs.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum What {
    Field {
        #[serde(rename = "field")]
        name: String,
        log: String,
        server: String,
    },
    /// The message has not arrived in time; the server may have sent another one.
    Missing { server: Option<String> },
    /// The server does not take the message in time.
    Untaken,
    /// The log does not have the message.
    Surplus,
    /// The server has closed the connection.
    Closed,
    /// The server has not closed the connection.
    Open,
    /// The server has sent something that is no message.
    Unframed,
}

impl About {
    pub(super) fn message(message: &Decoded, registers: Option<&Description>) -> Self {
        let is_short = |value: &Value| !matches!(value, Value::Data(_) | Value::Json(_));
        let fields = message.fields.0.iter().filter(|field| is_short(&field.value));
        let mut fields = Fields(fields.cloned().collect());
        if let Some(registers) = registers {
            registers.name_registers(&mut fields);
        }
        About { command: message.command().to_string(), fields }
    }

    /// Something that is no message.
    pub(super) fn other(name: &str) -> Self {
        About { command: name.to_owned(), fields: Fields::default() }
    }
}

impl Display for About {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.command)?;
        if self.fields.0.is_empty() { Ok(()) } else { write!(f, " {}", self.fields) }
    }
}

impl What {
    /// Returns what it means that nothing can be received or sent; an error is none of the server.
    pub(super) fn of(stop: Stop, late: What) -> std::io::Result<Self> {
        match stop {
            Stop::Late => Ok(late),
            Stop::Closed => Ok(What::Closed),
            Stop::Unframed => Ok(What::Unframed),
            Stop::Io(error) => Err(error),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Difference { number, time, about, what } = self;
        write!(f, "message {number} at {:.6}, {about}: {what}", time.as_secs_f64())
    }
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            What::Field { name, log, server } => {
                write!(f, "{name}: the log has {log}, the server sends {server}")
            }
            What::Missing { server: None } => f.write_str("it does not arrive in time"),
            What::Missing { server: Some(other) } => {
                write!(f, "it does not arrive in time, the server sends {other}")
            }
            What::Untaken => f.write_str("the server does not receive it in time"),
            What::Surplus => f.write_str("the server sends it, and the log does not have it"),
            What::Closed => f.write_str("the server has closed the connection"),
            What::Open => f.write_str("the server does not close the connection"),
            What::Unframed => f.write_str("the server sends something that is no message"),
        }
    }
}

fn as_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
