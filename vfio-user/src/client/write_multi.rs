//! Several small writes in one message.

use zerocopy::IntoBytes;

use super::Client;
use super::calls::Answer;
use super::region::{ClientRegion, ONE_PIECE};
use crate::error::{Error, ReplyError, Result};
use crate::model::RegisterValue;
use crate::protocol::{Command, RegionAccess, WriteMulti, WriteMultiEntry};

/// The maximum number of writes in a message.
pub(super) const MOST: usize = ONE_PIECE / size_of::<WriteMultiEntry>();

impl ClientRegion<'_> {
    /// Returns an entry for a write of 1, 2, 4 or 8 bytes, little-endian, for
    /// [`Client::write_multi`].
    pub fn entry<T: RegisterValue>(&self, offset: u64, value: T) -> WriteMultiEntry {
        WriteMultiEntry {
            offset: offset.into(),
            region: u32::from(self.index()).into(),
            count: u32::from(T::WIDTH).into(),
            data: value.to_bits().to_le_bytes(),
        }
    }
}

impl Client {
    /// Performs small writes in order, up to the first one that the server refuses
    /// (`VFIO_USER_REGION_WRITE_MULTI`). Returns the number of writes that were done. If the server
    /// does not support several at once (see [`server_capabilities`](Self::server_capabilities)),
    /// each write is a message of its own.
    ///
    /// ```no_run
    /// # use vfio_user::client::Client;
    /// use vfio_user::protocol::RegionIndex;
    ///
    /// # let client = Client::attach("/run/vm/device.sock")?;
    /// let bar = client.region(RegionIndex::Bar0);
    /// client.write_multi(&[bar.entry(0x00, 1_u32), bar.entry(0x10, 2_u16)])?;
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of any request; [`Error::Refused`] only if the server refused the first write.
    pub fn write_multi(&self, writes: &[WriteMultiEntry]) -> Result<usize> {
        let most = if self.server.write_multiple { MOST } else { 1 };
        let mut done = 0;
        for part in writes.chunks(most) {
            let written = if most > 1 { self.send_multi(part) } else { self.write_one(&part[0]) };
            match written {
                Ok(count) if count == part.len() => done += count,
                Ok(count) => return Ok(done + count),
                Err(Error::Refused { .. }) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn send_multi(&self, writes: &[WriteMultiEntry]) -> Result<usize> {
        let head = multi(writes);
        let parts = [head.as_bytes(), writes.as_bytes()];
        let answer = self.connection.request(Command::RegionWriteMulti, &parts, &[])?;
        writes_done(&answer, writes.len())
    }

    fn write_one(&self, write: &WriteMultiEntry) -> Result<usize> {
        let WriteMultiEntry { offset, region, count, data } = *write;
        let access = RegionAccess { offset, region, count };
        let data = data.get(..count.get() as usize).unwrap_or(&data);
        self.connection.request(Command::RegionWrite, &[access.as_bytes(), data], &[])?;
        Ok(1)
    }
}

/// Returns the fixed part of a request.
pub(super) fn multi(writes: &[WriteMultiEntry]) -> WriteMulti {
    WriteMulti { count: (writes.len() as u64).into() }
}

/// Returns the number of writes that were done, of those that were sent.
pub(super) fn writes_done(answer: &Answer, sent: usize) -> Result<usize> {
    let done = answer.fixed::<WriteMulti>()?.count.get();
    let count = usize::try_from(done).ok().filter(|count| *count <= sent);
    count.ok_or_else(|| answer.malformed(ReplyError::Writes { done, sent }))
}
