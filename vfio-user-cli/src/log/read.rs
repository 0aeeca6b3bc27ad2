//! Reads a log, which may be damaged or hostile.

use std::io::{self, Read};
use std::time::Duration;

use vfio_user::protocol::HEADER_SIZE;

use super::{
    DESCRIPTOR, FILE_HEAD, Kind, MAGIC, MAX_BODY, MAX_DESCRIPTORS, RECORD_HEAD, Record, Route,
    Sender, VERSION,
};
use crate::descriptor::Descriptor;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("this is no log of `vfu proxy`")]
    Magic,
    #[error("it has version {0}; {VERSION} is accepted")]
    Version(u32),
    #[error("it ends within a record, at byte {0}")]
    Truncated(u64),
    #[error("the record at byte {at} has {what} {value}, accepted is {accepted}")]
    Field { at: u64, what: &'static str, value: u64, accepted: &'static str },
    #[error("the record at byte {at} has {has} bytes, its message says {says}")]
    Message { at: u64, has: usize, says: u32 },
}

/// Reads a log record by record.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    from: R,
    /// The offset of the next byte.
    at: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    pub(crate) fn new(mut from: R) -> Result<Self, LogError> {
        let mut head = [0; FILE_HEAD];
        from.read_exact(&mut head).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => LogError::Magic,
            _ => LogError::Io(error),
        })?;
        if head[..8] != MAGIC {
            return Err(LogError::Magic);
        }
        match u32_at(&head, 8) {
            VERSION => Ok(Reader { from, at: FILE_HEAD as u64 }),
            other => Err(LogError::Version(other)),
        }
    }

    /// Reads the next record; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, LogError> {
        let start = self.at;
        let head = self.bytes(RECORD_HEAD)?;
        if head.is_empty() {
            return Ok(None);
        }
        let head = whole(head, RECORD_HEAD, start)?;
        let body = limited(start, "a size of", u32_at(&head, 0), MAX_BODY, "at most 16 MiB")?;
        let count = u16::from_le_bytes([head[6], head[7]]);
        let count = limited(start, "descriptors:", count, MAX_DESCRIPTORS, "at most 253")?;
        let kind = kind(head[4], start)?;
        let route = route(&head, start)?;
        let descriptors = whole(self.bytes(count * DESCRIPTOR)?, count * DESCRIPTOR, start)?;
        let descriptors = descriptors.chunks_exact(DESCRIPTOR);
        let descriptors = descriptors.map(|bytes| descriptor(bytes, start));
        let descriptors = descriptors.collect::<Result<_, _>>()?;
        let body = whole(self.bytes(body)?, body, start)?;
        if kind == Kind::Message {
            check_size(&body, start)?;
        }
        let time = Duration::from_nanos(u64_at(&head, 16));
        Ok(Some(Record { time, kind, route, descriptors, body }))
    }

    /// Reads so many bytes, or fewer at the end. Allocates as bytes arrive.
    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, LogError> {
        let mut bytes = Vec::new();
        self.from.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

fn whole(bytes: Vec<u8>, size: usize, at: u64) -> Result<Vec<u8>, LogError> {
    if bytes.len() == size { Ok(bytes) } else { Err(LogError::Truncated(at)) }
}

fn limited(
    at: u64,
    what: &'static str,
    value: impl Into<u64>,
    limit: usize,
    accepted: &'static str,
) -> Result<usize, LogError> {
    let value = value.into();
    let fits = usize::try_from(value).ok().filter(|value| *value <= limit);
    fits.ok_or(LogError::Field { at, what, value, accepted })
}

/// Checks that a message has the size in its header.
fn check_size(message: &[u8], at: u64) -> Result<(), LogError> {
    let has = message.len();
    let header = message.first_chunk::<HEADER_SIZE>();
    let says = header.map_or(0, |header| u32_at(header, 4));
    if header.is_some() && says as usize == has {
        Ok(())
    } else {
        Err(LogError::Message { at, has, says })
    }
}

fn kind(number: u8, at: u64) -> Result<Kind, LogError> {
    match number {
        1 => Ok(Kind::Connected),
        2 => Ok(Kind::Message),
        3 => Ok(Kind::Unframed),
        4 => Ok(Kind::End),
        _ => {
            let value = number.into();
            Err(LogError::Field { at, what: "kind", value, accepted: "1 to 4" })
        }
    }
}

fn route(head: &[u8], at: u64) -> Result<Route, LogError> {
    let flags = head[5];
    if flags & !3 != 0 {
        let value = flags.into();
        return Err(LogError::Field { at, what: "flags", value, accepted: "0 to 3" });
    }
    let from = if flags & 1 == 0 { Sender::Client } else { Sender::Server };
    Ok(Route { connection: u32_at(head, 8), is_twin: flags & 2 != 0, from })
}

fn descriptor(bytes: &[u8], at: u64) -> Result<Descriptor, LogError> {
    let size = u64_at(bytes, 8);
    match u64_at(bytes, 0) {
        0 => Ok(Descriptor::Other),
        1 if i64::try_from(size).is_ok() => Ok(Descriptor::File(size)),
        1 => Err(LogError::Field {
            at,
            what: "a file of",
            value: size,
            accepted: "at most 2^63 - 1",
        }),
        2 => Ok(Descriptor::EventFd),
        3 => Ok(Descriptor::Socket),
        value => {
            Err(LogError::Field { at, what: "a descriptor of kind", value, accepted: "0 to 3" })
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
