//! Regions: what they are, and access to them by messages.

use std::mem::take;
use std::os::fd::OwnedFd;

use zerocopy::IntoBytes;

use super::{Client, RegionMap};
use crate::error::{Error, Result};
use crate::model::{RegionType, RegisterValue};
use crate::protocol::{
    Command, HEADER_SIZE, MAX_DATA_XFER_SIZE, RegionAccess, RegionCapabilities, RegionFlags,
    RegionIndex, RegionInfo, SparseArea,
};

/// What a server says of a region.
#[derive(Debug)]
pub struct RegionDetails {
    /// What can be done with it.
    pub flags: RegionFlags,
    /// In bytes; 0 for a region that does not exist.
    pub size: u64,
    /// Where in the file it starts.
    pub offset: u64,
    /// The parts that can be mapped, in bytes from its start. They do not overlap; of a server that names
    /// none, it is all of the region.
    pub areas: Vec<SparseArea>,
    /// The file to map, if it can be mapped; some servers give one for each area. See
    /// [`map`](Self::map).
    pub files: Vec<OwnedFd>,
    /// Of a device specific region, what it is.
    pub ty: Option<RegionType>,
}

/// A region, accessed by messages.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    client: &'a Client,
    index: RegionIndex,
    map: Option<&'a RegionMap>,
}

/// The most data of a write: some servers want to receive a message in one piece, which the kernel
/// gives them up to 32 KiB.
pub(super) const ONE_PIECE: usize = 32 * 1024 - size_of::<RegionAccess>() - HEADER_SIZE;

/// The most that a description of a region may need.
const MAX_DETAILS: u32 = 64 * 1024;

impl Client {
    /// A region to access.
    pub fn region(&self, index: RegionIndex) -> Region<'_> {
        Region { client: self, index, map: None }
    }

    /// Asks what a region is (`VFIO_USER_DEVICE_GET_REGION_INFO`).
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Malformed`] if the answer makes no sense.
    pub fn region_details(&self, index: RegionIndex) -> Result<RegionDetails> {
        let fixed = u32::try_from(size_of::<RegionInfo>()).unwrap_or(u32::MAX);
        match self.ask_region(index, fixed)? {
            Ok(details) => Ok(details),
            Err(needed) => self
                .ask_region(index, needed)?
                .map_err(|more| malformed(format!("it needs {more} bytes where it said {needed}"))),
        }
    }

    /// Asks with room for `room` bytes; tells how much is needed if that is not enough.
    fn ask_region(&self, index: RegionIndex, room: u32) -> Result<Result<RegionDetails, u32>> {
        let asked = RegionInfo {
            argsz: room.into(),
            index: u32::from(index).into(),
            ..RegionInfo::default()
        };
        let connection = &self.connection;
        let command = Command::DeviceGetRegionInfo;
        let mut answer = connection.request(command, &[asked.as_bytes()], &[])?;
        let info: RegionInfo = *answer.fixed()?;
        let needed = info.argsz.get();
        if needed > room {
            let sane = needed <= MAX_DETAILS;
            let problem = || malformed(format!("it needs {needed} bytes"));
            return if sane { Ok(Err(needed)) } else { Err(problem()) };
        }
        let flags = RegionFlags::from_bits_retain(info.flags.get());
        let mut capabilities = RegionCapabilities::default();
        if flags.contains(RegionFlags::CAPS) {
            let parsed = RegionCapabilities::parse(&answer.payload, info.cap_offset.get());
            capabilities = parsed.map_err(|error| malformed(error.to_string()))?;
        }
        let (size, is_mappable) = (info.size.get(), flags.contains(RegionFlags::MMAP));
        let all = SparseArea { offset: 0.into(), size: size.into() };
        // A server may say that there are areas, and name none.
        let areas = capabilities.sparse.unwrap_or_else(|| vec![all; is_mappable.into()]);
        let ty = capabilities.type_.map(RegionType::from);
        if let Some(area) = areas.iter().find(|area| !is_inside(area, size)) {
            return Err(malformed(format!("{area:?} is not inside its {size:#x} bytes")));
        }
        if let Some([one, next]) = overlap(&areas) {
            return Err(malformed(format!("{one:?} and {next:?} overlap")));
        }
        let files = if is_mappable { take(&mut answer.fds) } else { Vec::new() };
        if files.len() > 1 && files.len() != areas.len() {
            return Err(malformed(format!("{} files for {} areas", files.len(), areas.len())));
        }
        Ok(Ok(RegionDetails { flags, size, offset: info.offset.get(), areas, files, ty }))
    }
}

fn is_inside(area: &SparseArea, size: u64) -> bool {
    area.offset.get().checked_add(area.size.get()).is_some_and(|end| end <= size)
}

/// Two areas that overlap, if there are any.
fn overlap(areas: &[SparseArea]) -> Option<[SparseArea; 2]> {
    let mut areas = areas.to_vec();
    areas.retain(|area| area.size.get() > 0);
    areas.sort_unstable_by_key(|area| area.offset.get());
    let end = |area: &SparseArea| area.offset.get() + area.size.get();
    let pair = areas.windows(2).find(|pair| end(&pair[0]) > pair[1].offset.get())?;
    Some([pair[0], pair[1]])
}

pub(super) fn malformed(problem: String) -> Error {
    Error::Malformed { command: Command::DeviceGetRegionInfo, problem }
}

impl<'a> Region<'a> {
    /// The same region; what lies in a mapped part of it is reached there, the rest by messages.
    #[must_use]
    pub fn through(self, map: &'a RegionMap) -> Self {
        Region { map: Some(map), ..self }
    }

    pub(super) fn index(&self) -> RegionIndex {
        self.index
    }

    /// The map, if all of a range lies in one mapped part.
    fn mapped(&self, offset: u64, len: usize) -> Option<&'a RegionMap> {
        self.map.filter(|map| map.contains(offset, len))
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

    /// Writes a word without waiting for an answer, and so without learning of an error. What is
    /// asked later sees it done.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnected`], or [`Error::Timeout`] if the server does not take it.
    pub fn post<T: RegisterValue>(&self, offset: u64, value: T) -> Result<()> {
        let bytes = value.to_bits().to_le_bytes();
        let data = &bytes[..usize::from(T::WIDTH)];
        if let Some(map) = self.mapped(offset, data.len()).filter(|map| map.is_writable()) {
            return Ok(map.write(offset, data)?);
        }
        let access = self.access(offset, data.len());
        self.client.connection.post(Command::RegionWrite, &[access.as_bytes(), data])
    }

    /// Reads any number of bytes, in messages as large as the server takes.
    ///
    /// # Errors
    ///
    /// Those of any request; [`Error::Malformed`] if the server gives fewer than asked for,
    /// [`Error::Argument`] if the range wraps around.
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
            let (_, bytes) = answer.split::<RegionAccess>()?;
            if bytes.len() != piece.len() {
                let problem = format!("{} bytes instead of {}", bytes.len(), piece.len());
                return Err(Error::Malformed { command, problem });
            }
            piece.copy_from_slice(bytes);
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Writes any number of bytes, in messages as large as the server takes.
    ///
    /// # Errors
    ///
    /// Those of any request; [`Error::Argument`] if the range wraps around.
    pub fn write_bytes(&self, mut offset: u64, data: &[u8]) -> Result<()> {
        expect_range(offset, data.len())?;
        if let Some(map) = self.mapped(offset, data.len()).filter(|map| map.is_writable()) {
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

    fn access(&self, offset: u64, count: usize) -> RegionAccess {
        RegionAccess {
            offset: offset.into(),
            region: u32::from(self.index).into(),
            count: u32::try_from(count).unwrap_or(u32::MAX).into(),
        }
    }
}

impl Client {
    /// The most data of one message: what the server takes, and what we would receive.
    pub(super) fn max_transfer(&self) -> usize {
        let server = usize::try_from(self.server.max_data_xfer_size).unwrap_or(usize::MAX);
        server.min(MAX_DATA_XFER_SIZE)
    }
}

/// No region is larger than the numbers that its offsets are.
fn expect_range(offset: u64, len: usize) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(_) => Ok(()),
        None => Err(Error::Argument(format!("{len} bytes at offset {offset:#x} wrap around"))),
    }
}
