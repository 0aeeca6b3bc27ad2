//! The client's memory that is mapped for the device, and the pages that the device has written by
//! messages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};

use crate::protocol::{DmaMapFlags, Errno, PAGE_SIZE};

/// Memory of the client that the device accesses by messages; see
/// [`Client::dma_map_memory`](super::Client::dma_map_memory).
///
/// The thread that serves the server's requests, and threads that wait for an answer, call its
/// methods; they must not use the client.
pub trait ClientMemory: Send + Sync {
    /// Reads `data.len()` bytes from `offset` on, all inside of what was mapped.
    ///
    /// # Errors
    ///
    /// The error for the server, such as [`Errno::EFAULT`].
    fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), Errno>;

    /// Writes `data` from `offset` on.
    ///
    /// # Errors
    ///
    /// The error for the server, such as [`Errno::EFAULT`].
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno>;
}

/// Accesses outside of the vector fail with EFAULT.
impl ClientMemory for Mutex<Vec<u8>> {
    fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let bytes = self.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        let source = bytes.get(start..).and_then(|rest| rest.get(..data.len()));
        data.copy_from_slice(source.ok_or(Errno::EFAULT)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let mut bytes = self.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        let target = bytes.get_mut(start..).and_then(|rest| rest.get_mut(..data.len()));
        target.ok_or(Errno::EFAULT)?.copy_from_slice(data);
        Ok(())
    }
}

/// Reads and writes the file; a failure is EFAULT.
impl ClientMemory for File {
    fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.read_exact_at(data, offset).map_err(|_| Errno::EFAULT)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.write_all_at(data, offset).map_err(|_| Errno::EFAULT)
    }
}

/// All maps, by their first address.
#[derive(Debug, Default)]
pub(super) struct MemoryMaps {
    maps: RwLock<BTreeMap<u64, MemoryMap>>,
    /// The pages of [`PAGE_SIZE`] that were written by messages, while they are logged.
    dirty: Mutex<Option<BTreeSet<u64>>>,
}

/// A range of addresses.
pub(super) struct MemoryMap {
    pub(super) last: u64,
    pub(super) rights: DmaMapFlags,
    /// The memory that messages access; `None` if the server has a descriptor.
    pub(super) memory: Option<Arc<dyn ClientMemory>>,
}

/// A part of an access that lies in one map.
struct Piece {
    memory: Arc<dyn ClientMemory>,
    offset: u64,
    len: usize,
}

impl MemoryMaps {
    /// Adds a map. Returns `false`, and adds nothing, if it overlaps another one.
    pub(super) fn insert(&self, first: u64, map: MemoryMap) -> bool {
        let mut maps = self.exclusive();
        let overlaps =
            maps.range(..=map.last).next_back().is_some_and(|(_, before)| before.last >= first);
        if !overlaps {
            maps.insert(first, map);
        }
        !overlaps
    }

    /// Adds a map of `size` bytes at the lowest free address inside `range` that is a multiple of
    /// `align`. Returns the address; `None` if none is free.
    pub(super) fn insert_free(
        &self,
        range: Range<u64>,
        size: u64,
        align: u64,
        rights: DmaMapFlags,
    ) -> Option<u64> {
        let mut maps = self.exclusive();
        let mut first = range.start.checked_next_multiple_of(align)?;
        loop {
            let last = first.checked_add(size - 1).filter(|last| *last < range.end)?;
            let before = maps.range(..=last).next_back().map(|(_, before)| before.last);
            let Some(taken) = before.filter(|before| *before >= first) else {
                maps.insert(first, MemoryMap { last, rights, memory: None });
                return Some(first);
            };
            first = taken.checked_add(1)?.checked_next_multiple_of(align)?;
        }
    }

    /// Removes the maps inside `[first, last]`.
    pub(super) fn remove(&self, first: u64, last: u64) {
        self.exclusive().retain(|start, map| *start < first || map.last > last);
    }

    pub(super) fn count(&self) -> usize {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns the first and last address of every map.
    pub(super) fn ranges(&self) -> Vec<(u64, u64)> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        maps.iter().map(|(first, map)| (*first, map.last)).collect()
    }

    /// Returns whether all of `[first, last]` is accessed by messages.
    pub(super) fn is_by_messages(&self, first: u64, last: u64) -> bool {
        let len = usize::try_from(last - first).ok().and_then(|less| less.checked_add(1));
        len.is_some_and(|len| self.pieces(first, len, DmaMapFlags::empty()).is_ok())
    }

    pub(super) fn read(&self, iova: u64, data: &mut [u8]) -> Result<(), Errno> {
        let mut rest = data;
        for piece in self.pieces(iova, rest.len(), DmaMapFlags::READ)? {
            let (head, tail) = rest.split_at_mut(piece.len);
            piece.memory.read(piece.offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    pub(super) fn write(&self, iova: u64, data: &[u8]) -> Result<(), Errno> {
        let mut rest = data;
        let pieces = self.pieces(iova, rest.len(), DmaMapFlags::WRITE)?;
        let written = pieces.into_iter().try_for_each(|piece| {
            let (head, tail) = rest.split_at(piece.len);
            rest = tail;
            piece.memory.write(piece.offset, head)
        });
        // Mark it afterwards, because a report in between would clear the mark, and even if a part
        // has failed.
        self.mark(iova, data.len());
        written
    }

    /// Starts the log of written pages, or stops and clears it.
    pub(super) fn log(&self, on: bool) {
        *self.dirty() = on.then(BTreeSet::new);
    }

    pub(super) fn is_logging(&self) -> bool {
        self.dirty().is_some()
    }

    /// Takes the first addresses of the logged pages that touch `[first, last]`.
    pub(super) fn take_dirty(&self, first: u64, last: u64) -> Vec<u64> {
        let mut dirty = self.dirty();
        let Some(log) = dirty.as_mut() else { return Vec::new() };
        let pages: Vec<u64> = log.range(first / PAGE_SIZE..=last / PAGE_SIZE).copied().collect();
        for page in &pages {
            log.remove(page);
        }
        pages.into_iter().map(|page| page * PAGE_SIZE).collect()
    }

    fn mark(&self, iova: u64, len: usize) {
        if let (Some(log), Some(less)) = (self.dirty().as_mut(), len.checked_sub(1)) {
            log.extend(iova / PAGE_SIZE..=(iova + less as u64) / PAGE_SIZE);
        }
    }

    /// Splits an access into pieces. The lock is not held while the caller's memory is accessed.
    fn pieces(&self, iova: u64, len: usize, right: DmaMapFlags) -> Result<Vec<Piece>, Errno> {
        let Some(less) = len.checked_sub(1) else { return Ok(Vec::new()) };
        let last = iova.checked_add(less as u64).ok_or(Errno::EINVAL)?;
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let (mut pieces, mut at) = (Vec::new(), iova);
        loop {
            let found = maps.range(..=at).next_back().filter(|(_, map)| map.last >= at);
            let (first, map) = found.ok_or(Errno::EFAULT)?;
            let memory = map.memory.clone().ok_or(Errno::EFAULT)?;
            if !map.rights.contains(right) {
                return Err(Errno::EPERM);
            }
            let end = map.last.min(last);
            let len = usize::try_from(end - at).unwrap_or(usize::MAX).saturating_add(1);
            pieces.push(Piece { memory, offset: at - first, len });
            if end == last {
                return Ok(pieces);
            }
            at = end + 1;
        }
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, MemoryMap>> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn dirty(&self) -> std::sync::MutexGuard<'_, Option<BTreeSet<u64>>> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemoryMap { last, rights, memory } = self;
        write!(f, "..={last:#x} {rights:?}, by messages: {}", memory.is_some())
    }
}
