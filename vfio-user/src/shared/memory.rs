//! The file behind shared memory, mapped.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::unistd::{Whence, lseek};

use super::error::SetupError;
use super::{SharedError, SharedFileError};
use crate::model::{Bar, Descriptor, RegionMapping, SharedFile};
use crate::protocol::{PAGE_SIZE, SparseArea};
use crate::sys::{Mapping, page_size};

/// The shared areas of a BAR.
#[derive(Debug)]
pub(super) struct SharedMemory {
    source: SharedFile,
    /// The file of the program that this one has taken over from, which replaces the source.
    adopted: OnceLock<SharedFile>,
    /// From the start of the BAR to the end of the last area.
    pub(super) mapping: Mapping,
    /// In ascending order, and joined where they touch.
    pub(super) areas: Box<[Range<u64>]>,
    /// The areas as declared.
    sparse: Box<[SparseArea]>,
}

impl SharedMemory {
    /// Returns `None` for a BAR that is not shared.
    pub(super) fn new(descriptor: &Descriptor, bar: u8) -> Result<Option<Self>, SetupError> {
        let declared = descriptor.bars().get(usize::from(bar)).copied().flatten();
        let given = descriptor.shared_file(bar);
        let Some(declared) = declared.filter(Bar::is_shared) else {
            return match given {
                Some(_) => Err(SharedFileError::NotShared { bar }.into()),
                None => Ok(None),
            };
        };
        let areas = joined(declared.shared_areas());
        let end = areas.last().map_or(0, |area| area.end);
        let source = match given {
            Some(given) => check(bar, given, end)?,
            None => {
                SharedFile { file: Arc::new(sealed(c"shared-bar", declared.size())?), offset: 0 }
            }
        };
        let len = usize::try_from(end).map_err(io::Error::other)?;
        let page = page_size(&fstat(&source.file)?);
        let mapping = Mapping::new(source.file.as_fd(), source.offset, len, page, true)?;
        let sparse = declared.shared_areas().map(|area| SparseArea {
            offset: area.start.into(),
            size: (area.end - area.start).into(),
        });
        let (adopted, sparse) = (OnceLock::new(), sparse.collect());
        Ok(Some(SharedMemory { source, adopted, mapping, areas, sparse }))
    }

    /// Returns the file that clients map.
    pub(super) fn file(&self) -> &SharedFile {
        self.adopted.get().unwrap_or(&self.source)
    }

    /// Uses the file of another program, whose clients have mapped it, instead of its own: what was
    /// in that is gone.
    ///
    /// # Errors
    ///
    /// If the file is too short or has pages of another size, or another one was adopted before.
    pub(super) fn adopt(&self, bar: u8, adopted: &SharedFile) -> Result<(), SetupError> {
        let end = self.areas.last().map_or(0, |area| area.end);
        let adopted = check(bar, adopted, end)?;
        let [ours, theirs] = [&self.source, &adopted].map(|SharedFile { file, offset }| {
            let page = page_size(&fstat(file)?);
            Ok::<_, Errno>((page, offset % page))
        });
        let (page, before) = ours?;
        if theirs? != (page, before) || self.adopted.get().is_some() {
            return Err(Errno::EINVAL.into());
        }
        self.mapping.replace_file(adopted.file.as_fd(), adopted.offset - before)?;
        self.adopted.get_or_init(|| adopted);
        Ok(())
    }

    pub(super) fn region_mapping(&self) -> RegionMapping<'_> {
        let SharedFile { file, offset } = self.file();
        RegionMapping { file: file.as_fd(), offset: *offset, areas: &self.sparse }
    }

    /// Fills a range, which is inside, and starts at `at` in the mapping.
    pub(super) fn fill(&self, at: usize, range: Range<u64>, byte: u8) -> Result<(), SharedError> {
        let bytes = [byte; 4096];
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        for done in (0..len).step_by(bytes.len()) {
            let piece = &bytes[..bytes.len().min(len - done)];
            self.mapping.write(at + done, piece)?;
        }
        Ok(())
    }

    /// Fills a range with zeros; it is inside, and starts at `at` in the mapping.
    pub(super) fn clear(&self, at: usize, range: Range<u64>) -> Result<(), SharedError> {
        if range.is_empty() || self.punch(&range).is_ok() {
            return Ok(());
        }
        // Holes of the file are zero.
        let mut from = range.start;
        while let Some(start) = self.seek(from, Whence::SeekData).filter(|at| *at < range.end) {
            let start = start.max(from);
            let end = self.seek(start, Whence::SeekHole).unwrap_or(range.end).min(range.end);
            let place = at + usize::try_from(start - range.start).unwrap_or(0);
            self.fill(place, start..end, 0)?;
            from = end.max(start + 1);
        }
        Ok(())
    }

    /// Returns the number of bytes that the whole file holds.
    pub(super) fn held(&self) -> u64 {
        let blocks = fstat(&self.file().file).map_or(0, |stat| stat.st_blocks);
        u64::try_from(blocks).unwrap_or(0).saturating_mul(512)
    }

    /// Returns the first byte from `offset` on that is data, or a hole, of the file. If the file
    /// system cannot report holes, all bytes are data.
    pub(super) fn seek(&self, offset: u64, whence: Whence) -> Option<u64> {
        let SharedFile { file, offset: start } = self.file();
        let from = i64::try_from(start.checked_add(offset)?).ok()?;
        match lseek(file, from, whence) {
            Ok(found) => u64::try_from(found).ok()?.checked_sub(*start),
            Err(Errno::ENXIO) => None,
            Err(_) => matches!(whence, Whence::SeekData).then_some(offset),
        }
    }

    /// Punches a hole into the file. Not every file system supports it.
    fn punch(&self, area: &Range<u64>) -> io::Result<()> {
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let SharedFile { file, offset } = self.file();
        let start = i64::try_from(offset + area.start).map_err(io::Error::other)?;
        let len = i64::try_from(area.end - area.start).map_err(io::Error::other)?;
        Ok(fallocate(file, flags, start, len)?)
    }
}

/// Creates a file in memory whose size no process can change, so that clients cannot lose what they
/// map.
pub(crate) fn sealed(name: &CStr, size: u64) -> Result<File, SetupError> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = File::from(memfd_create(name, flags)?);
    file.set_len(size)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

/// Checks that a BAR with areas up to `end` fits into a file.
fn check(bar: u8, given: &SharedFile, end: u64) -> Result<SharedFile, SetupError> {
    let SharedFile { file, offset } = given;
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(SharedFileError::Misaligned { bar, offset: *offset }.into());
    }
    let (len, needed) = (file.metadata()?.len(), offset.saturating_add(end));
    if len < needed {
        return Err(SharedFileError::TooShort { bar, len, needed }.into());
    }
    Ok(given.clone())
}

fn joined(areas: impl Iterator<Item = Range<u64>>) -> Box<[Range<u64>]> {
    let mut areas: Vec<_> = areas.collect();
    areas.sort_unstable_by_key(|area| area.start);
    areas.dedup_by(|next, last| {
        let touches = last.end == next.start;
        if touches {
            last.end = next.end;
        }
        touches
    });
    areas.into()
}
