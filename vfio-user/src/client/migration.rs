//! Reading and writing the state of a device that migrates.

use std::io::{Read, Write};

use zerocopy::IntoBytes;

use super::Client;
use super::region::ONE_PIECE;
use crate::error::{Error, ReplyError, Result};
use crate::protocol::{Command, MigData};

impl Client {
    /// Reads the available part of the device's state (`VFIO_USER_MIG_DATA_READ`), at most
    /// `data.len()` bytes, in one message. Returns the number of bytes. 0 means end of stream in
    /// [`MigrationState::StopCopy`](crate::protocol::MigrationState::StopCopy), and no data yet in
    /// [`MigrationState::PreCopy`](crate::protocol::MigrationState::PreCopy).
    ///
    /// # Errors
    ///
    /// Those of any request; [`Error::Malformed`] if the server sends more than requested.
    pub fn read_migration_data(&self, data: &mut [u8]) -> Result<usize> {
        let most = data.len().min(self.max_transfer());
        let wanted = mig_data(most);
        let answer = self.connection.request(Command::MigDataRead, &[wanted.as_bytes()], &[])?;
        let (read, bytes) = answer.split::<MigData>()?;
        // Some servers send as many bytes as requested, and say how many of them are valid.
        let size = usize::try_from(read.size.get()).unwrap_or(usize::MAX);
        let Some(bytes) = bytes.get(..size).filter(|_| size <= most) else {
            return Err(answer.malformed(ReplyError::State { size, got: bytes.len(), most }));
        };
        data[..size].copy_from_slice(bytes);
        Ok(size)
    }

    /// Reads the device's state until no more is available now, and writes it to `stream`. Returns
    /// the number of bytes.
    ///
    /// # Errors
    ///
    /// Those of any request, and of `stream`.
    pub fn save(&self, stream: &mut impl Write) -> Result<u64> {
        let mut data = vec![0; self.max_transfer()];
        let mut saved = 0;
        loop {
            let size = self.read_migration_data(&mut data)?;
            if size == 0 {
                return Ok(saved);
            }
            stream.write_all(&data[..size])?;
            saved += size as u64;
        }
    }

    /// Writes a part of the device's state (`VFIO_USER_MIG_DATA_WRITE`), in messages of up to 32
    /// KiB.
    ///
    /// # Errors
    ///
    /// Those of any request; the server has accepted the data before the message that failed.
    pub fn write_migration_data(&self, data: &[u8]) -> Result<()> {
        for piece in data.chunks(self.max_transfer().min(ONE_PIECE)) {
            let fixed = mig_data(piece.len());
            self.connection.request(Command::MigDataWrite, &[fixed.as_bytes(), piece], &[])?;
        }
        Ok(())
    }

    /// Writes all of `stream` to the device as its state. Returns the number of bytes.
    ///
    /// # Errors
    ///
    /// Those of any request, and of `stream`.
    pub fn load(&self, stream: &mut impl Read) -> Result<u64> {
        let mut data = vec![0; self.max_transfer().min(ONE_PIECE)];
        let mut loaded = 0;
        loop {
            match stream.read(&mut data) {
                Ok(0) => return Ok(loaded),
                Ok(size) => {
                    self.write_migration_data(&data[..size])?;
                    loaded += size as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }
}

fn mig_data(size: usize) -> MigData {
    let argsz = size_of::<MigData>() + size;
    let number = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
    MigData { argsz: number(argsz).into(), size: number(size).into() }
}
