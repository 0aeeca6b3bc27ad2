//! The server's descriptions of its regions.

use std::mem::take;
use std::ops::Range;

use zerocopy::IntoBytes;

use super::Client;
use super::limits::MapBudget;
use crate::error::{Error, ReplyError, Result};
use crate::fds::{PeerFd, PeerFds};
use crate::model::RegionType;
use crate::protocol::{
    Command, RegionCapabilities, RegionFlags, RegionIndex, RegionInfo, SparseArea,
};

/// The server's description of a region.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegionDetails {
    /// The supported accesses.
    pub flags: RegionFlags,
    /// The size in bytes; 0 for a region that does not exist.
    pub size: u64,
    /// The start of the region in the file.
    pub offset: u64,
    /// The parts that can be mapped, in bytes from the start of the region. They do not overlap. If
    /// the server lists none, this is the whole region.
    pub areas: Vec<SparseArea>,
    /// The file to map, if the region can be mapped; some servers supply one file for each area.
    /// See [`map`](Self::map).
    pub files: Vec<PeerFd>,
    /// The type of a device specific region.
    pub ty: Option<RegionType>,
    /// What the client may map.
    pub(super) budget: MapBudget,
}

/// The maximum size of a description of a region.
const MAX_DETAILS: u32 = 64 * 1024;

impl Client {
    /// Returns the description of a region (`VFIO_USER_DEVICE_GET_REGION_INFO`).
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Malformed`] if the answer is invalid.
    pub fn region_details(&self, index: RegionIndex) -> Result<RegionDetails> {
        let fixed = u32::try_from(size_of::<RegionInfo>()).unwrap_or(u32::MAX);
        match self.request_region(index, fixed)? {
            Ok(details) => Ok(details),
            Err(room) => self.request_region(index, room)?.map_err(|needed| {
                malformed(ReplyError::Needs { needed, least: fixed, most: room })
            }),
        }
    }

    /// Requests the description with room for `room` bytes; returns the required size if that is
    /// not enough.
    fn request_region(&self, index: RegionIndex, room: u32) -> Result<Result<RegionDetails, u32>> {
        let wanted = RegionInfo {
            argsz: room.into(),
            index: u32::from(index).into(),
            ..RegionInfo::default()
        };
        let connection = &self.connection;
        let command = Command::DeviceGetRegionInfo;
        let mut answer = connection.request(command, &[wanted.as_bytes()], &[])?;
        let info: RegionInfo = *answer.fixed()?;
        let needed = info.argsz.get();
        if needed > room {
            let problem = ReplyError::Needs { needed, least: room, most: MAX_DETAILS };
            return if needed <= MAX_DETAILS { Ok(Err(needed)) } else { Err(malformed(problem)) };
        }
        let flags = RegionFlags::from_bits_retain(info.flags.get());
        let mut capabilities = RegionCapabilities::default();
        if flags.contains(RegionFlags::CAPS) {
            let parsed = RegionCapabilities::parse(&answer.payload, info.cap_offset.get());
            capabilities = parsed.map_err(malformed)?;
        }
        let (size, is_mappable) = (info.size.get(), flags.contains(RegionFlags::MMAP));
        let all = SparseArea { offset: 0.into(), size: size.into() };
        // A server may set the flag for areas, and list none.
        let areas = capabilities.sparse.unwrap_or_else(|| vec![all; is_mappable.into()]);
        let ty = capabilities.type_.map(RegionType::from);
        if let Some(area) = areas.iter().find(|area| !is_inside(area, size)) {
            let (offset, size, region) = (area.offset.get(), area.size.get(), size);
            return Err(malformed(ReplyError::Area { offset, size, region }));
        }
        if let Some([one, next]) = overlap(&areas) {
            return Err(malformed(ReplyError::Overlap(range(&one), range(&next))));
        }
        let files = if is_mappable { take(&mut answer.fds) } else { PeerFds::default() };
        if files.len() > 1 && files.len() != areas.len() {
            let (files, areas) = (files.len(), areas.len());
            return Err(malformed(ReplyError::Files { files, areas }));
        }
        Ok(Ok(RegionDetails {
            flags,
            size,
            offset: info.offset.get(),
            areas,
            files: files.into_iter().collect(),
            ty,
            budget: self.maps.clone(),
        }))
    }
}

/// Returns the range of an area, which ends at 2^64 - 1 at most.
pub(super) fn range(area: &SparseArea) -> Range<u64> {
    let start = area.offset.get();
    start..start.saturating_add(area.size.get())
}

fn is_inside(area: &SparseArea, size: u64) -> bool {
    area.offset.get().checked_add(area.size.get()).is_some_and(|end| end <= size)
}

/// Returns two areas that overlap, if there are any.
fn overlap(areas: &[SparseArea]) -> Option<[SparseArea; 2]> {
    let mut areas = areas.to_vec();
    areas.retain(|area| area.size.get() > 0);
    areas.sort_unstable_by_key(|area| area.offset.get());
    let end = |area: &SparseArea| area.offset.get() + area.size.get();
    let pair = areas.windows(2).find(|pair| end(&pair[0]) > pair[1].offset.get())?;
    Some([pair[0], pair[1]])
}

pub(super) fn malformed(problem: impl Into<ReplyError>) -> Error {
    Error::Malformed { command: Command::DeviceGetRegionInfo, problem: problem.into() }
}
