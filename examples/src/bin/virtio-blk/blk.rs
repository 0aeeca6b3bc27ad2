//! Requests and configuration (5.2.4, 5.2.6).

use std::sync::Arc;

use vfio_user_examples::{Disk, DiskError, page};
use vfio_user_virtio::{DeviceType, Error, Queue, Request, VirtioDevice};

/// Feature bits (5.2.3).
pub(crate) mod feature {
    pub(crate) const SIZE_MAX: u64 = 1 << 1;
    pub(crate) const SEG_MAX: u64 = 1 << 2;
    pub(crate) const BLK_SIZE: u64 = 1 << 6;
    pub(crate) const FLUSH: u64 = 1 << 9;
    pub(crate) const MQ: u64 = 1 << 12;
    pub(crate) const DISCARD: u64 = 1 << 13;
    pub(crate) const WRITE_ZEROES: u64 = 1 << 14;
}

/// Types of requests.
pub(crate) mod kind {
    pub(crate) const IN: u32 = 0;
    pub(crate) const OUT: u32 = 1;
    pub(crate) const FLUSH: u32 = 4;
    pub(crate) const GET_ID: u32 = 8;
    pub(crate) const DISCARD: u32 = 11;
    pub(crate) const WRITE_ZEROES: u32 = 13;
}

/// The status of a request.
pub(crate) mod status {
    pub(crate) const OK: u8 = 0;
    pub(crate) const IOERR: u8 = 1;
    pub(crate) const UNSUPP: u8 = 2;
}

/// Bytes of a sector.
const SECTOR: u64 = 512;
const QUEUE_SIZE: u16 = 256;
/// The most bytes of a buffer, and the most buffers of a request.
const SIZE_MAX: u32 = 1 << 20;
const SEG_MAX: u32 = 62;
/// The most ranges of a request that clears sectors, and the most sectors of one.
const MAX_RANGES: u64 = 16;
const MAX_CLEARED: u32 = 1 << 16;
const HEADER: u64 = 16;
const RANGE: u64 = 16;
/// The flag of a range by which sectors may be released.
const UNMAP: u32 = 1;
const ID: &[u8; 20] = b"vfio-user-virtio-blk";

/// A block device.
pub(crate) struct Blk {
    disk: Arc<Disk>,
    queues: u16,
}

/// Why a request was not performed.
enum Failure {
    /// The driver gets this status.
    Status(u8),
    /// The driver has broken the queue, or the device stops.
    Queue(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Queue(error)
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Memory(error) => Failure::Queue(error.into()),
            _ => Failure::Status(status::IOERR),
        }
    }
}

impl Blk {
    pub(crate) fn new(disk: Arc<Disk>, queues: u16) -> Self {
        Blk { disk, queues }
    }

    fn config(&self) -> [u8; 60] {
        let ranges = u32::try_from(MAX_RANGES).unwrap_or(0).to_le_bytes();
        page(&[
            (0, &(self.disk.len() / SECTOR).to_le_bytes()),
            (8, &SIZE_MAX.to_le_bytes()),
            (12, &SEG_MAX.to_le_bytes()),
            (20, &u32::try_from(SECTOR).unwrap_or(0).to_le_bytes()),
            (34, &self.queues.to_le_bytes()),
            (36, &MAX_CLEARED.to_le_bytes()),
            (40, &ranges),
            (44, &1_u32.to_le_bytes()),
            (48, &MAX_CLEARED.to_le_bytes()),
            (52, &ranges),
            (56, &[1]),
        ])
    }

    /// Performs a request, and returns how many bytes were written to it.
    fn answer(&self, request: &Request<'_, '_>) -> Result<u32, Error> {
        let room = request.writable_len();
        let data_len = room.checked_sub(1).ok_or(Error::Request("no room for the status"))?;
        // Held before anything happens.
        let status = request.writable(data_len..room)?;
        let (code, written) = match self.perform(request, data_len) {
            Ok(written) => (status::OK, written),
            Err(Failure::Status(code)) => (code, 0),
            Err(Failure::Queue(error)) => return Err(error),
        };
        status.write(0, &[code])?;
        Ok(u32::try_from(written + 1).unwrap_or(u32::MAX))
    }

    fn perform(&self, request: &Request<'_, '_>, data_len: u64) -> Result<u64, Failure> {
        let mut header = [0; 16];
        request.readable(0..HEADER)?.read(0, &mut header).map_err(Error::from)?;
        let (kind, sector) =
            (word(&header, 0), u64::from(word(&header, 8)) | u64::from(word(&header, 12)) << 32);
        match kind {
            kind::IN => {
                let at = self.place(sector, data_len)?;
                self.disk.read(at, &request.writable(0..data_len)?)?;
                Ok(data_len)
            }
            kind::OUT => {
                let len = request.readable_len() - HEADER;
                let at = self.place(sector, len)?;
                self.disk.write(at, &request.readable(HEADER..HEADER + len)?)?;
                if request.features() & feature::FLUSH == 0 {
                    // A driver that cannot flush expects that data is stored.
                    self.disk.flush()?;
                }
                Ok(0)
            }
            kind::FLUSH => self.disk.flush().map(|()| 0).map_err(Failure::from),
            kind::GET_ID => {
                let len = data_len.min(ID.len() as u64);
                let id = &ID[..usize::try_from(len).unwrap_or(0)];
                request.writable(0..len)?.write(0, id).map_err(Error::from)?;
                Ok(len)
            }
            kind::DISCARD => self.clear(request, 0),
            kind::WRITE_ZEROES => self.clear(request, UNMAP),
            _ => Err(Failure::Status(status::UNSUPP)),
        }
    }

    /// Returns the first byte of sectors, which exist and are not too many.
    fn place(&self, sector: u64, len: u64) -> Result<u64, Failure> {
        let (at, _) = self.disk.extent(sector, len / SECTOR, SECTOR)?;
        let most = u64::from(SIZE_MAX) * u64::from(SEG_MAX);
        if len.is_multiple_of(SECTOR) && len <= most {
            Ok(at)
        } else {
            Err(Failure::Status(status::IOERR))
        }
    }

    /// Clears ranges of sectors (5.2.6.2), with the flags that the request may have.
    fn clear(&self, request: &Request<'_, '_>, flags: u32) -> Result<u64, Failure> {
        let len = request.readable_len() - HEADER;
        if len == 0 || !len.is_multiple_of(RANGE) || len > MAX_RANGES * RANGE {
            return Err(Failure::Status(status::IOERR));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        request.readable(HEADER..HEADER + len)?.read(0, &mut bytes).map_err(Error::from)?;
        let ranges = bytes.as_chunks::<16>().0.iter().map(|range| {
            let sector = u64::from(word(range, 0)) | u64::from(word(range, 4)) << 32;
            let (count, its) = (word(range, 8), word(range, 12));
            if its & !flags != 0 {
                return Err(Failure::Status(status::UNSUPP));
            }
            let len = u64::from(count) * SECTOR;
            Ok((self.place(sector, len)?, len))
        });
        // All of them are checked before one is cleared.
        self.disk.clear(ranges.collect::<Result<_, _>>()?)?;
        Ok(0)
    }
}

/// Returns a little-endian word.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().copied().map_or(0, u32::from_le_bytes)
}

impl VirtioDevice for Blk {
    type State = ();

    fn device_type(&self) -> DeviceType {
        DeviceType::BLOCK
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE; self.queues.into()]
    }

    fn features(&self) -> u64 {
        let queues = if self.queues > 1 { feature::MQ } else { 0 };
        feature::SIZE_MAX
            | feature::SEG_MAX
            | feature::BLK_SIZE
            | feature::FLUSH
            | feature::DISCARD
            | feature::WRITE_ZEROES
            | queues
    }

    fn config_len(&self) -> usize {
        self.config().len()
    }

    fn read_config(&self, offset: usize, data: &mut [u8]) {
        data.copy_from_slice(&self.config()[offset..offset + data.len()]);
    }

    fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
        while let Some(request) = queue.pop()? {
            let written = self.answer(&request)?;
            request.complete(written)?;
        }
        Ok(())
    }
}
