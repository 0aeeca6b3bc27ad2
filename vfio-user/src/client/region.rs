//! Access to regions by messages.

use zerocopy::IntoBytes;

use super::calls::Answer;
use super::{Client, RegionMap};
use crate::error::{ArgumentError, ReplyError, Result};
use crate::model::RegisterValue;
use crate::protocol::{Command, HEADER_SIZE, RegionAccess, RegionIndex, variable_data};

/// A region of the device, accessed by messages.
#[derive(Clone, Copy, Debug)]
pub struct ClientRegion<'a> {
    client: &'a Client,
    index: RegionIndex,
    map: Option<&'a RegionMap>,
}

/// The maximum data of a write: some servers require a message in one piece, and the kernel
/// delivers up to 32 KiB in one.
pub(super) const ONE_PIECE: usize = 32 * 1024 - size_of::<RegionAccess>() - HEADER_SIZE;

impl Client {
    /// Returns a handle for a region.
    pub fn region(&self, index: RegionIndex) -> ClientRegion<'_> {
        ClientRegion { client: self, index, map: None }
    }
}

impl<'a> ClientRegion<'a> {
    /// Uses a map of the region: ranges in a mapped part are accessed there, other ranges by
    /// messages.
    #[must_use]
    pub fn through(self, map: &'a RegionMap) -> Self {
        ClientRegion { map: Some(map), ..self }
    }

    pub(super) fn index(&self) -> RegionIndex {
        self.index
    }

    pub(super) fn client(&self) -> &'a Client {
        self.client
    }

    /// Returns the map, if all of a range lies in one mapped part.
    pub(super) fn mapped(&self, offset: u64, len: usize) -> Option<&'a RegionMap> {
        self.map.filter(|map| map.contains(offset, len))
    }

    /// Returns the map, if all of a range lies in one mapped part that can be written.
    pub(super) fn writable(&self, offset: u64, len: usize) -> Option<&'a RegionMap> {
        self.mapped(offset, len).filter(|map| map.is_writable())
    }

    /// Reads a word of 1, 2, 4 or 8 bytes, little-endian, in one message.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn read<T: RegisterValue>(&self, offset: u64) -> Result<T> {
        let mut bytes = [0; 8];
        self.read_bytes(offset, &mut bytes[..usize::from(T::WIDTH)])?;
        Ok(T::from_bits(u64::from_le_bytes(bytes)))
    }

    /// Writes a word of 1, 2, 4 or 8 bytes, little-endian, in one message.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn write<T: RegisterValue>(&self, offset: u64, value: T) -> Result<()> {
        self.write_bytes(offset, &value.to_bits().to_le_bytes()[..usize::from(T::WIDTH)])
    }

    /// Writes a word without waiting for an answer; an error is not reported. Later requests take
    /// effect after the write.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`](crate::Error::Disconnected), or
    /// [`Error::Timeout`](crate::Error::Timeout) if the server does not receive it.
    pub fn post<T: RegisterValue>(&self, offset: u64, value: T) -> Result<()> {
        let bytes = value.to_bits().to_le_bytes();
        let data = &bytes[..usize::from(T::WIDTH)];
        if let Some(map) = self.writable(offset, data.len()) {
            return Ok(map.write(offset, data)?);
        }
        let access = self.access(offset, data.len());
        self.client.connection.post(Command::RegionWrite, &[access.as_bytes(), data])
    }

    /// Reads any number of bytes, in messages as large as the server accepts.
    ///
    /// # Errors
    ///
    /// Those of any request; [`Error::Malformed`](crate::Error::Malformed) if the server sends
    /// another number of bytes than requested, [`Error::Argument`](crate::Error::Argument) if the
    /// range wraps around.
    pub fn read_bytes(&self, mut offset: u64, data: &mut [u8]) -> Result<()> {
        expect_range(offset, data.len())?;
        if let Some(map) = self.mapped(offset, data.len()) {
            return Ok(map.read(offset, data)?);
        }
        let connection = &self.client.connection;
        let command = Command::RegionRead;
        for piece in data.chunks_mut(self.client.max_transfer()) {
            let access = self.access(offset, piece.len());
            let answer = connection.request(command, &[access.as_bytes()], &[])?;
            piece.copy_from_slice(read_data(&answer, piece.len())?);
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Writes any number of bytes, in messages as large as the server accepts.
    ///
    /// # Errors
    ///
    /// Those of any request; [`Error::Argument`](crate::Error::Argument) if the range wraps around.
    pub fn write_bytes(&self, mut offset: u64, data: &[u8]) -> Result<()> {
        expect_range(offset, data.len())?;
        if let Some(map) = self.writable(offset, data.len()) {
            return Ok(map.write(offset, data)?);
        }
        let connection = &self.client.connection;
        for piece in data.chunks(self.client.max_transfer().min(ONE_PIECE)) {
            let access = self.access(offset, piece.len());
            connection.request(Command::RegionWrite, &[access.as_bytes(), piece], &[])?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    pub(super) fn access(&self, offset: u64, count: usize) -> RegionAccess {
        RegionAccess {
            offset: offset.into(),
            region: u32::from(self.index).into(),
            count: u32::try_from(count).unwrap_or(u32::MAX).into(),
        }
    }
}

impl Client {
    /// Returns the maximum data of one message, which the server accepts and this client can
    /// receive.
    pub(super) fn max_transfer(&self) -> usize {
        let server = usize::try_from(self.server.max_data_xfer_size).unwrap_or(usize::MAX);
        server.min(self.message_data)
    }

    /// Returns the size of the largest bitmap that this client can receive, in bytes.
    pub(super) fn max_bitmap(&self) -> usize {
        variable_data(self.message_data)
    }
}

/// Returns the data of an answer to a read, which has to be `len` bytes.
pub(super) fn read_data(answer: &Answer, len: usize) -> Result<&[u8]> {
    let (_, bytes) = answer.split::<RegionAccess>()?;
    if bytes.len() == len {
        return Ok(bytes);
    }
    Err(answer.malformed(ReplyError::Length { got: bytes.len(), expected: len }))
}

/// Checks that a range does not end beyond 2^64.
pub(super) fn expect_range(offset: u64, len: usize) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(_) => Ok(()),
        None => Err(ArgumentError::Wraps { offset, len }.into()),
    }
}
