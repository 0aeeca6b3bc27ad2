//! Writing a recording.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use bincode::serde::encode_to_vec;
use serde::Serialize;

use super::{CONFIG, Entry, FORMAT, Header, MAGIC, MAX_FRAME, MAX_STATE_PART};

/// Writes a recording, one entry after the other.
#[derive(Debug)]
pub(crate) struct TapeWriter<W> {
    out: W,
    /// The time of the last entry.
    last: Duration,
}

impl TapeWriter<BufWriter<File>> {
    /// Begins a recording in a file, in place of what it had. A new file is readable by its owner
    /// alone, because recordings hold memory of the guest.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or written.
    pub(crate) fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        TapeWriter::new(BufWriter::new(file), header)
    }
}

impl<W: Write> TapeWriter<W> {
    /// Begins a recording.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn new(out: W, header: &Header) -> io::Result<Self> {
        let mut writer = TapeWriter { out, last: Duration::ZERO };
        writer.out.write_all(&MAGIC)?;
        writer.out.write_all(&FORMAT.to_le_bytes())?;
        writer.write(header)?;
        Ok(writer)
    }

    /// Writes the state that the device begins with.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn state(&mut self, state: &[u8]) -> io::Result<()> {
        state
            .chunks(MAX_STATE_PART)
            .try_for_each(|part| self.entry(Duration::ZERO, &Entry::State(part.to_vec().into())))
    }

    /// Writes an entry that happens at `time` after the start.
    ///
    /// # Errors
    ///
    /// Those of `out`, or if the entry is too long.
    pub(crate) fn entry(&mut self, time: Duration, entry: &Entry) -> io::Result<()> {
        let elapsed = time.saturating_sub(self.last);
        self.last = self.last.max(time);
        self.write(&(nanos(elapsed), entry))
    }

    /// Writes what is buffered to its place.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn write(&mut self, payload: &impl Serialize) -> io::Result<()> {
        let payload = encode_to_vec(payload, CONFIG).map_err(io::Error::other)?;
        if payload.len() > MAX_FRAME {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let len = u32::try_from(payload.len()).map_err(io::Error::other)?.to_le_bytes();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&len), &payload);
        self.out.write_all(&len)?;
        self.out.write_all(&payload)?;
        self.out.write_all(&crc.to_le_bytes())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
