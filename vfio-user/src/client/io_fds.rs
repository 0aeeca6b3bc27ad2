//! Doorbells: eventfds whose signal replaces a write.

use zerocopy::{FromBytes, IntoBytes};

use super::Client;
use super::calls::Answer;
use crate::error::{Error, ReplyError, Result};
use crate::eventfd::EventFd;
use crate::model::DataMatch;
use crate::protocol::{Command, IoFd, IoFdFlags, IoFdType, RegionIndex, RegionIoFds};

/// A doorbell: signalling the eventfd replaces a message that writes to the region.
#[derive(Debug)]
pub struct Ioeventfd {
    /// First byte, from the start of the region.
    pub offset: u64,
    /// The size of the writes that it replaces, in bytes; 0 for writes of any size.
    pub size: u64,
    /// The values that it replaces.
    pub value: DataMatch,
    /// Whether the region decodes I/O ports.
    pub is_port: bool,
    /// The eventfd to signal.
    pub eventfd: EventFd,
}

/// The maximum size of a list of them.
const MAX_LIST: u32 = 64 * 1024;
const FIXED: usize = size_of::<RegionIoFds>();
/// The size of an entry of libvfio-user, which has a field for shadow memory before the value.
const WITH_SHADOW: usize = size_of::<IoFd>() + 8;

impl Client {
    /// Returns the doorbells of a region (`VFIO_USER_DEVICE_GET_REGION_IO_FDS`), in the layout of
    /// the specification or in that of libvfio-user. Other kinds of descriptors are skipped.
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Malformed`] if the answer is invalid.
    pub fn ioeventfds(&self, index: RegionIndex) -> Result<Vec<Ioeventfd>> {
        let size = self.region_details(index)?.size;
        let room = u32::try_from(FIXED).unwrap_or(u32::MAX);
        let (mut needed, mut answer) = self.ask_io_fds(index, room)?;
        if needed > room {
            (needed, answer) = self.ask_io_fds(index, needed)?;
        }
        let (info, entries) = answer.split::<RegionIoFds>()?;
        if entries.len() + FIXED != needed as usize {
            let (got, expected) = (entries.len() + FIXED, needed as usize);
            return Err(answer.malformed(ReplyError::Length { got, expected }));
        }
        let count = info.count.get() as usize;
        let Some(stride) = entries.len().checked_div(count) else {
            return Ok(Vec::new());
        };
        if !entries.len().is_multiple_of(count)
            || ![size_of::<IoFd>(), WITH_SHADOW].contains(&stride)
        {
            return Err(answer.malformed(ReplyError::Entries { count, bytes: entries.len() }));
        }
        let entries = entries.chunks_exact(stride).filter_map(|entry| parse(entry, &answer, size));
        entries.map(|parsed| parsed.map_err(|error| answer.malformed(error))).collect()
    }

    /// Requests the list with room for `room` bytes; returns how many are needed.
    fn ask_io_fds(&self, index: RegionIndex, room: u32) -> Result<(u32, Answer)> {
        let index = u32::from(index);
        let wanted =
            RegionIoFds { argsz: room.into(), index: index.into(), ..RegionIoFds::default() };
        let command = Command::DeviceGetRegionIoFds;
        let answer = self.connection.request(command, &[wanted.as_bytes()], &[])?;
        let needed = answer.fixed::<RegionIoFds>()?.argsz.get();
        if needed > MAX_LIST || (needed as usize) < FIXED {
            let least = u32::try_from(FIXED).unwrap_or(u32::MAX);
            let problem = ReplyError::Needs { needed, least, most: MAX_LIST };
            return Err(Error::Malformed { command, problem });
        }
        Ok((needed, answer))
    }
}

/// Parses one entry; `None` if it is not a plain ioeventfd.
fn parse(bytes: &[u8], answer: &Answer, region: u64) -> Option<Result<Ioeventfd, ReplyError>> {
    let (entry, rest) = IoFd::read_from_prefix(bytes).ok()?;
    if IoFdType::try_from(entry.type_.get()) != Ok(IoFdType::Ioeventfd) {
        return None;
    }
    // In the longer layout, the field of the specification's value holds the place of the shadow
    // memory.
    let value = u64::read_from_bytes(rest).map_or(entry.datamatch.get(), u64::from_le);
    Some(check(&entry, value, answer, region))
}

fn check(entry: &IoFd, value: u64, answer: &Answer, region: u64) -> Result<Ioeventfd, ReplyError> {
    let (offset, size) = (entry.offset.get(), entry.size.get());
    if ![0, 1, 2, 4, 8].contains(&size) {
        return Err(ReplyError::DoorbellSize(size));
    }
    // A doorbell for any size has at least one byte.
    if offset.checked_add(size.max(1)).is_none_or(|end| end > region) {
        return Err(ReplyError::Doorbell { offset, size, region });
    }
    let flags = entry.flags.get();
    let flags = IoFdFlags::from_bits(flags).ok_or(ReplyError::DoorbellFlags(flags))?;
    let has_value = flags.contains(IoFdFlags::DATAMATCH);
    if has_value && (size == 0 || (size < 8 && value >> (8 * size) != 0)) {
        return Err(ReplyError::DoorbellValue { value, size });
    }
    let (index, count) = (entry.fd_index.get() as usize, answer.fds.len());
    let fd = answer.fds.get(index);
    let fd = fd.ok_or(ReplyError::NoDescriptor { index: Some(index as u64), count })?;
    // Several entries may share a descriptor.
    let eventfd = fd.try_clone().and_then(EventFd::from_peer);
    Ok(Ioeventfd {
        offset,
        size,
        value: if has_value { DataMatch::Value(value) } else { DataMatch::Any },
        is_port: flags.contains(IoFdFlags::PORT),
        eventfd: eventfd.map_err(|_| ReplyError::DoorbellDescriptor { index })?,
    })
}
