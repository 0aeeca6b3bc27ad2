//! Reading a recording.

use std::io::{self, Read};
use std::time::Duration;

use bincode::serde::decode_from_slice;
use serde::de::DeserializeOwned;

use super::{CONFIG, Entry, FORMAT, Header, MAGIC, MAX_FRAME, RecordingError};

/// Reads a recording, one entry after the other.
#[derive(Debug)]
pub(crate) struct TapeReader<R> {
    from: R,
    header: Header,
    /// The number of the entries that were read.
    entries: u64,
    time: Duration,
    has_ended: bool,
}

/// An entry, its number from 1, and its time since the start.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) number: u64,
    pub(crate) time: Duration,
    pub(crate) entry: Entry,
}

impl<R: Read> TapeReader<R> {
    /// Reads the head of a recording.
    ///
    /// # Errors
    ///
    /// [`RecordingError`].
    pub(crate) fn new(mut from: R) -> Result<Self, RecordingError> {
        let mut head = [0; MAGIC.len() + 2];
        from.read_exact(&mut head).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => RecordingError::NoRecording,
            _ => error.into(),
        })?;
        let (magic, [low, high]) = head.split_at(MAGIC.len()) else {
            return Err(RecordingError::NoRecording);
        };
        let format = u16::from_le_bytes([*low, *high]);
        if magic != MAGIC {
            return Err(RecordingError::NoRecording);
        }
        if format != FORMAT {
            return Err(RecordingError::Format(format));
        }
        let header = decode(&frame(&mut from, 0)?, 0)?;
        Ok(TapeReader { from, header, entries: 0, time: Duration::ZERO, has_ended: false })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the next entry; `None` after the last one.
    ///
    /// # Errors
    ///
    /// [`RecordingError`].
    pub(crate) fn next(&mut self) -> Result<Option<Timed>, RecordingError> {
        if self.has_ended {
            return Ok(None);
        }
        let payload = frame(&mut self.from, self.entries)?;
        let number = self.entries + 1;
        let (elapsed, entry): (u64, Entry) = decode(&payload, number)?;
        self.entries = number;
        self.time = self.time.saturating_add(Duration::from_nanos(elapsed));
        if entry == Entry::End {
            self.has_ended = true;
            if self.from.read(&mut [0])? != 0 {
                return Err(RecordingError::TrailingBytes { entry: number });
            }
        }
        Ok(Some(Timed { number, time: self.time, entry }))
    }
}

/// Reads the frame behind `entries` others, and returns its payload.
fn frame(from: &mut impl Read, entries: u64) -> Result<Vec<u8>, RecordingError> {
    let entry = entries + 1;
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => RecordingError::Truncated { entries },
        _ => error.into(),
    };
    let mut len = [0; 4];
    from.read_exact(&mut len).map_err(cut)?;
    let count = u32::from_le_bytes(len);
    let size = usize::try_from(count).unwrap_or(usize::MAX);
    if size == 0 || size > MAX_FRAME {
        return Err(RecordingError::Length { entry, len: count });
    }
    // What is there decides how much is allocated, and not what the file says.
    let mut payload = Vec::new();
    from.take(count.into()).read_to_end(&mut payload)?;
    if payload.len() < size {
        return Err(RecordingError::Truncated { entries });
    }
    let mut crc = [0; 4];
    from.read_exact(&mut crc).map_err(cut)?;
    let expected = crc32c::crc32c_append(crc32c::crc32c(&len), &payload);
    if u32::from_le_bytes(crc) != expected {
        return Err(RecordingError::Checksum { entry });
    }
    Ok(payload)
}

fn decode<T: DeserializeOwned>(payload: &[u8], entry: u64) -> Result<T, RecordingError> {
    let (value, read) = decode_from_slice(payload, CONFIG)
        .map_err(|error| RecordingError::Entry { entry, problem: error.to_string() })?;
    if read == payload.len() {
        return Ok(value);
    }
    let problem = format!("{} bytes follow it", payload.len() - read);
    Err(RecordingError::Entry { entry, problem })
}
