//! Writes a log.

use std::io::{self, Write};

use super::{DESCRIPTOR, FILE_HEAD, MAGIC, RECORD_HEAD, Record, Sender, VERSION};
use crate::descriptor::Descriptor;

/// Writes a log, one record with each write, so that a log of a program that was killed ends with
/// a whole one.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    into: W,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    pub(crate) fn new(mut into: W) -> io::Result<Self> {
        let mut head = Vec::with_capacity(FILE_HEAD);
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend([0; 4]);
        into.write_all(&head)?;
        Ok(Writer { into, buffer: Vec::new() })
    }

    /// Writes a record.
    pub(crate) fn write(&mut self, record: &Record) -> io::Result<()> {
        let Record { time, kind, route, descriptors, body } = record;
        self.buffer.clear();
        self.buffer.reserve(RECORD_HEAD + descriptors.len() * DESCRIPTOR + body.len());
        let size = u32::try_from(body.len()).map_err(io::Error::other)?;
        let count = u16::try_from(descriptors.len()).map_err(io::Error::other)?;
        let flags = u8::from(route.from == Sender::Server) | u8::from(route.is_twin) << 1;
        self.buffer.extend(size.to_le_bytes());
        self.buffer.extend([*kind as u8, flags]);
        self.buffer.extend(count.to_le_bytes());
        self.buffer.extend(route.connection.to_le_bytes());
        self.buffer.extend([0; 4]);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.buffer.extend(nanoseconds.to_le_bytes());
        for descriptor in descriptors {
            let (kind, size) = number(*descriptor);
            self.buffer.extend(kind.to_le_bytes());
            self.buffer.extend(size.to_le_bytes());
        }
        self.buffer.extend(body);
        self.into.write_all(&self.buffer)
    }
}

/// Returns the number of a kind of descriptors, and the size of a file.
fn number(descriptor: Descriptor) -> (u64, u64) {
    match descriptor {
        Descriptor::Other => (0, 0),
        Descriptor::File(size) => (1, size),
        Descriptor::EventFd => (2, 0),
        Descriptor::Socket => (3, 0),
    }
}
