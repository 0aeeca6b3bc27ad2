//! Mapped regions: memory of the device, accessed without a message.

use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};

use super::limits::MapShare;
use super::region_details::{RegionDetails, malformed, range};
use crate::error::{Error, ReplyError, Result};
use crate::fds::PeerFd;
use crate::model::RegisterValue;
use crate::protocol::{PAGE_SIZE, RegionFlags};
use crate::shared::{Atomic, SharedError, aligned, load_word, store_word};
use crate::sys::{Mapping, page_size};

/// The mapped parts of a region.
///
/// This is a handle: clone it, move it to another thread. Offsets count from the start of the
/// region. The device may change the memory at any time, so no reference into it exists; bytes are
/// copied, and words loaded and stored, by volatile accesses. If a server truncates the file,
/// accesses to it fail, without other harm.
#[derive(Clone, Debug)]
pub struct RegionMap {
    /// In ascending order.
    areas: Arc<[MappedArea]>,
    is_writable: bool,
}

#[derive(Debug)]
struct MappedArea {
    range: Range<u64>,
    mapping: Mapping,
    _share: MapShare,
}

impl RegionDetails {
    /// Returns the parts that can be mapped, as whole pages in ascending order.
    fn mappable(&self) -> Vec<(Range<u64>, &PeerFd)> {
        let Some(first) = self.files.first() else { return Vec::new() };
        let file = |place| match &self.files[..] {
            files if files.len() == self.areas.len() => &files[place],
            _ => first,
        };
        let pages =
            self.areas.iter().enumerate().map(|(place, area)| (pages(&range(area)), file(place)));
        let mut areas: Vec<_> = pages.filter(|(range, _)| !range.is_empty()).collect();
        areas.sort_unstable_by_key(|(range, _)| range.start);
        areas
    }

    /// Maps all parts of the region that can be mapped; none if the server supplies no file, or
    /// does not allow reads of the region.
    ///
    /// # Errors
    ///
    /// [`Error::FileNotInMemory`] if the file is of none of `memfd_create(2)`, tmpfs and hugetlbfs,
    /// [`Error::MapLimit`] if the client may not map so much, [`Error::Malformed`] if the file ends
    /// before the region, and [`Error::Io`] if the system refuses.
    pub fn map(&self) -> Result<RegionMap> {
        if self.is_readable() && !self.files.iter().all(PeerFd::is_in_memory) {
            return Err(Error::FileNotInMemory);
        }
        self.map_any_file()
    }

    /// Maps as [`map`](Self::map); `None` where the file may not be mapped, or the limits of the
    /// client are reached, so that messages access the region.
    pub(super) fn map_if_allowed(&self) -> Result<Option<RegionMap>> {
        match self.map() {
            Ok(map) => Ok(Some(map)),
            Err(Error::FileNotInMemory | Error::MapLimit { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Maps as [`map`](Self::map), whatever the file is: a file on a disk, a device. A server can
    /// make an access to a file of a file system in user space (FUSE) hang. Call this only for
    /// servers that are trusted that far.
    ///
    /// # Errors
    ///
    /// Those of [`map`](Self::map) but [`Error::FileNotInMemory`].
    pub fn map_any_file(&self) -> Result<RegionMap> {
        let is_writable = self.flags.contains(RegionFlags::WRITE);
        let mappable = if self.is_readable() { self.mappable() } else { Vec::new() };
        let areas = mappable.into_iter().map(|(range, file)| self.map_area(range, file));
        Ok(RegionMap { areas: areas.collect::<Result<_>>()?, is_writable })
    }

    fn is_readable(&self) -> bool {
        self.flags.contains(RegionFlags::READ)
    }

    fn map_area(&self, range: Range<u64>, file: &PeerFd) -> Result<MappedArea> {
        let stat = fstat(file).map_err(Error::system)?;
        let in_file = self.offset.checked_add(range.end);
        let end = in_file.ok_or_else(|| malformed(ReplyError::NotInFile(range.clone())))?;
        let is_regular = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if is_regular && size < end {
            return Err(malformed(ReplyError::FileTooShort { len: size, needed: end }));
        }
        let len =
            usize::try_from(range.end - range.start).map_err(|_| Error::system(Errno::ENOMEM))?;
        let share = self.budget.take(range.end - range.start)?;
        let at = self.offset + range.start;
        let is_writable = self.flags.contains(RegionFlags::WRITE);
        let mapping = Mapping::new(file.as_fd(), at, len, page_size(&stat), is_writable)?;
        Ok(MappedArea { range, mapping, _share: share })
    }
}

/// Returns the whole pages inside of a range: a page that contains other data must not be mapped.
fn pages(range: &Range<u64>) -> Range<u64> {
    range.start.checked_next_multiple_of(PAGE_SIZE).unwrap_or(range.end)
        ..range.end / PAGE_SIZE * PAGE_SIZE
}

impl RegionMap {
    /// Returns the mapped parts, in bytes from the start of the region, in ascending order.
    pub fn areas(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.areas.iter().map(|area| area.range.clone())
    }

    /// Returns whether all of a range lies in one mapped part.
    pub fn contains(&self, offset: u64, len: usize) -> bool {
        self.locate(offset, len).is_ok()
    }

    /// Returns whether the region can be written.
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Copies bytes out of the region.
    ///
    /// # Errors
    ///
    /// [`SharedError::Outside`], and [`SharedError::Lost`] if the file behind it was truncated.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), SharedError> {
        let (mapping, at) = self.locate(offset, data.len())?;
        Ok(mapping.read(at, data)?)
    }

    /// Copies bytes into the region.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`SharedError::ReadOnly`].
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), SharedError> {
        let (mapping, at) = self.locate_writable(offset, data.len())?;
        Ok(mapping.write(at, data)?)
    }

    /// Loads a word of 1, 2, 4 or 8 bytes, little-endian, in one access.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`SharedError::Misaligned`].
    pub fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, SharedError> {
        let bits = load_word(offset, T::WIDTH, |bytes| self.read(offset, bytes))?;
        Ok(T::from_bits(bits))
    }

    /// Stores a word, as [`load`](Self::load), with release ordering: a reader that sees the word
    /// also sees what was stored before it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`SharedError::ReadOnly`].
    pub fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), SharedError> {
        store_word(offset, value, |bytes| self.write(offset, bytes))
    }

    /// Operates on a word atomically, in the byte order of the host.
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn atomic<A: Atomic, R>(
        &self,
        offset: u64,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, SharedError> {
        let width = aligned(offset, size_of::<A>())?;
        let (mapping, at) = self.locate_writable(offset, width)?;
        Ok(mapping.atomic(at, operation)?)
    }

    fn locate_writable(&self, offset: u64, len: usize) -> Result<(&Mapping, usize), SharedError> {
        if self.is_writable { self.locate(offset, len) } else { Err(SharedError::ReadOnly) }
    }

    /// Returns the mapping of a range, and the start of the range in it.
    fn locate(&self, offset: u64, len: usize) -> Result<(&Mapping, usize), SharedError> {
        let outside = SharedError::Outside { offset, len: len as u64 };
        let end = offset.checked_add(len as u64).ok_or(outside)?;
        let place = self.areas.partition_point(|area| area.range.end <= offset);
        let area = self.areas.get(place).ok_or(outside)?;
        if offset < area.range.start || end > area.range.end {
            return Err(outside);
        }
        let at = usize::try_from(offset - area.range.start).map_err(|_| outside)?;
        Ok((&area.mapping, at))
    }
}
