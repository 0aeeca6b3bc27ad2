//! The layout of requests and answers of transfers.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::transfer::{Direction, Failure};
use crate::protocol::{DmaAccess, Header};

/// How a client lays out `VFIO_USER_DMA_READ` and `VFIO_USER_DMA_WRITE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// As the specification says: the data follow a count of eight bytes.
    Wide,
    /// As QEMU before 11 does: the data follow a count of four bytes, and the message has four more
    /// bytes after them.
    Narrow,
}

/// As [`DmaAccess`].
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct NarrowAccess {
    address: U64,
    count: U32,
}

impl Layout {
    /// Detects the layout by the answer to a write of no bytes. Clients with the narrow layout
    /// answer with a header alone.
    pub(super) fn of_probe(header: &Header, payload: Option<&[u8]>) -> Self {
        let is_bare = payload.is_some_and(<[u8]>::is_empty) && header.errno().is_none();
        if is_bare { Layout::Narrow } else { Layout::Wide }
    }

    /// Sends the request for a piece: its header, and the parts of its payload.
    pub(super) fn request(
        self,
        id: u16,
        direction: Direction,
        iova: u64,
        data: &[u8],
        send: impl FnOnce(&Header, &[&[u8]]),
    ) {
        let access = DmaAccess { address: iova.into(), count: (data.len() as u64).into() };
        let fixed = access.as_bytes();
        let parts = match (self, direction) {
            (_, Direction::Read) => [fixed, &[], &[]],
            (Layout::Wide, Direction::Write) => [fixed, data, &[]],
            (Layout::Narrow, Direction::Write) => {
                [&fixed[..size_of::<NarrowAccess>()], data, &[0; 4]]
            }
        };
        let payload = parts.iter().map(|part| part.len()).sum();
        send(&Header::request(id, direction.command(), payload, false), &parts);
    }

    /// Parses how much of a piece was done, which is never nothing, and copies the data of a read
    /// into `data`.
    pub(super) fn answer(
        self,
        header: &Header,
        payload: Option<&[u8]>,
        direction: Direction,
        iova: u64,
        data: &mut [u8],
    ) -> Result<usize, Failure> {
        if header.command() != Ok(direction.command()) {
            return Err(Failure::Malformed);
        }
        if let Some(errno) = header.errno() {
            return Err(Failure::Refused(errno));
        }
        let payload = payload.ok_or(Failure::Malformed)?;
        // Older clients send no payload.
        if direction == Direction::Write && payload.is_empty() {
            return Ok(data.len());
        }
        let (done, bytes) = self.split(payload, iova)?;
        if done == 0 || done > data.len() {
            return Err(Failure::Malformed);
        }
        if direction == Direction::Read {
            data[..done].copy_from_slice(bytes.get(..done).ok_or(Failure::Malformed)?);
        }
        Ok(done)
    }

    /// Returns the count in an answer, and the data after it.
    fn split(self, payload: &[u8], iova: u64) -> Result<(usize, &[u8]), Failure> {
        let (address, count, data) = match self {
            Layout::Wide => {
                let (access, data) =
                    DmaAccess::ref_from_prefix(payload).map_err(|_| Failure::Malformed)?;
                (access.address.get(), access.count.get(), data)
            }
            Layout::Narrow => {
                let (access, data) =
                    NarrowAccess::ref_from_prefix(payload).map_err(|_| Failure::Malformed)?;
                (access.address.get(), access.count.get().into(), data)
            }
        };
        match usize::try_from(count) {
            Ok(count) if address == iova => Ok((count, data)),
            _ => Err(Failure::Malformed),
        }
    }
}
