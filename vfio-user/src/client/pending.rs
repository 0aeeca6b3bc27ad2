//! Requests that are sent now and whose answers are awaited later, in any order.

use zerocopy::IntoBytes;

use super::calls::Answer;
use super::connection::SentCall;
use super::region::{ONE_PIECE, expect_range, read_data};
use super::window::WINDOW_BYTES;
use super::write_multi::{MOST, multi, writes_done};
use super::{Client, ClientRegion};
use crate::error::{ArgumentError, Result};
use crate::model::RegisterValue;
use crate::protocol::{Command, WriteMultiEntry};

/// The result of a request that was sent, and whose answer has not been awaited.
///
/// [`wait`](Self::wait) returns the result; the requests of a client may be awaited in any order.
/// Dropping it gives up the result, not the request: the server performs it, and the client drops
/// the answer when it arrives.
///
/// At most [`ClientLimits::pending`](super::ClientLimits::pending) such requests of a client are
/// without an answer at a time, and the data of all of them, in both directions, is at most 128
/// KiB, so that the answers fit in the socket and the server does not stop reading. One more
/// request first waits for an answer to an earlier one. A request that was given up counts until
/// its answer arrives.
///
/// ```no_run
/// # use vfio_user::client::Client;
/// use vfio_user::protocol::RegionIndex;
///
/// # let client = Client::attach("/run/vm/device.sock")?;
/// let bar = client.region(RegionIndex::Bar0);
/// let started = [0x00, 0x04, 0x08].map(|offset| bar.start_read::<u32>(offset));
/// for read in started.into_iter().rev() {
///     println!("{:#x}", read?.wait()?);
/// }
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives up the result"]
pub struct Pending<'a, T> {
    progress: Progress<'a, T>,
}

#[derive(Debug)]
enum Progress<'a, T> {
    /// The access went to mapped memory.
    Done(T),
    Sent(SentCall<'a>, Expected<T>),
}

/// What the answer has to be.
#[derive(Debug)]
enum Expected<T> {
    /// This many bytes, and how they are decoded.
    Data(usize, fn(&[u8]) -> T),
    /// No data.
    Written(T),
    /// The number of writes that were done, of as many as were sent.
    Writes(usize, fn(usize) -> T),
}

impl<T> Pending<'_, T> {
    /// Waits for the answer, for at most [`AttachOptions::timeout`](super::AttachOptions::timeout)
    /// from this call on, and returns the result.
    ///
    /// # Errors
    ///
    /// Those of the request.
    pub fn wait(self) -> Result<T> {
        match self.progress {
            Progress::Done(value) => Ok(value),
            Progress::Sent(call, expected) => expected.decode(&call.wait()?),
        }
    }
}

impl<T> Expected<T> {
    fn decode(self, answer: &Answer) -> Result<T> {
        Ok(match self {
            Expected::Data(len, decode) => decode(read_data(answer, len)?),
            Expected::Written(done) => done,
            Expected::Writes(sent, decode) => decode(writes_done(answer, sent)?),
        })
    }
}

/// The maximum data of one request that is awaited later.
const MOST_BYTES: usize = WINDOW_BYTES / 2;

impl<'a> ClientRegion<'a> {
    /// Starts to read a word, as [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`](crate::Error::Disconnected), and
    /// [`Error::Timeout`](crate::Error::Timeout) if the server accepts no further request.
    pub fn start_read<T: RegisterValue>(&self, offset: u64) -> Result<Pending<'a, T>> {
        self.start(offset, usize::from(T::WIDTH), |data| {
            let mut bytes = [0; 8];
            bytes[..data.len()].copy_from_slice(data);
            T::from_bits(u64::from_le_bytes(bytes))
        })
    }

    /// Starts to read `len` bytes, in one message: at most 64 KiB, and no more than the server
    /// accepts in one. More are read by [`read_bytes`](Self::read_bytes).
    ///
    /// # Errors
    ///
    /// As [`start_read`](Self::start_read), and [`Error::Argument`](crate::Error::Argument) if the
    /// range is too long or wraps around.
    pub fn start_read_bytes(&self, offset: u64, len: usize) -> Result<Pending<'a, Vec<u8>>> {
        self.start(offset, len, <[u8]>::to_vec)
    }

    /// Starts to write a word, as [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// As [`start_read`](Self::start_read).
    pub fn start_write<T: RegisterValue>(&self, offset: u64, value: T) -> Result<Pending<'a, ()>> {
        let bytes = value.to_bits().to_le_bytes();
        self.start_write_bytes(offset, &bytes[..usize::from(T::WIDTH)])
    }

    /// Starts to write bytes, in one message: at most 32 KiB with the headers, and no more than the
    /// server accepts in one. More are written by [`write_bytes`](Self::write_bytes).
    ///
    /// # Errors
    ///
    /// As [`start_read_bytes`](Self::start_read_bytes).
    pub fn start_write_bytes(&self, offset: u64, data: &[u8]) -> Result<Pending<'a, ()>> {
        expect_range(offset, data.len())?;
        if let Some(map) = self.writable(offset, data.len()) {
            return Ok(Pending { progress: Progress::Done(map.write(offset, data)?) });
        }
        let client = self.client();
        expect_len(data.len(), client.max_transfer().min(ONE_PIECE))?;
        let access = self.access(offset, data.len());
        let parts = [access.as_bytes(), data];
        let call = client.connection.start(Command::RegionWrite, &parts, data.len())?;
        Ok(Pending { progress: Progress::Sent(call, Expected::Written(())) })
    }

    fn start<T>(&self, offset: u64, len: usize, decode: fn(&[u8]) -> T) -> Result<Pending<'a, T>> {
        expect_range(offset, len)?;
        let client = self.client();
        expect_len(len, client.max_transfer().min(MOST_BYTES))?;
        if let Some(map) = self.mapped(offset, len) {
            let mut bytes = vec![0; len];
            map.read(offset, &mut bytes)?;
            return Ok(Pending { progress: Progress::Done(decode(&bytes)) });
        }
        let access = self.access(offset, len);
        let call = client.connection.start(Command::RegionRead, &[access.as_bytes()], len)?;
        Ok(Pending { progress: Progress::Sent(call, Expected::Data(len, decode)) })
    }
}

impl Client {
    /// Starts to perform small writes, as [`write_multi`](Self::write_multi), in one message.
    ///
    /// # Errors
    ///
    /// Those of [`ClientRegion::start_read`], and [`Error::Argument`](crate::Error::Argument) if
    /// the server does not support several writes at once, or there are more than one message can
    /// carry.
    pub fn start_write_multi(&self, writes: &[WriteMultiEntry]) -> Result<Pending<'_, usize>> {
        if !self.server.write_multiple {
            return Err(ArgumentError::NoWriteMultiple.into());
        }
        expect_len(size_of_val(writes), MOST * size_of::<WriteMultiEntry>())?;
        let head = multi(writes);
        let parts = [head.as_bytes(), writes.as_bytes()];
        let size = size_of_val(writes);
        let call = self.connection.start(Command::RegionWriteMulti, &parts, size)?;
        Ok(Pending { progress: Progress::Sent(call, Expected::Writes(writes.len(), |done| done)) })
    }
}

fn expect_len(len: usize, most: usize) -> Result<()> {
    if len <= most { Ok(()) } else { Err(ArgumentError::TooLong { len, most }.into()) }
}
