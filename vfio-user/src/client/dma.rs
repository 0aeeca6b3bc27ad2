//! Memory that the device may access.

use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::memory::{ClientMemory, MemoryMap};
use super::{Client, DirtyPages};
use crate::error::{ArgumentError, Error, Result};
use crate::protocol::{
    Command, DirtyBitmap, DmaMap, DmaMapFlags, DmaUnmap, DmaUnmapFlags, PAGE_SIZE,
};

/// A part of a file that the device can access as memory.
///
/// ```no_run
/// use std::os::fd::AsFd;
/// use vfio_user::client::Client;
/// use vfio_user::client::DmaMapping;
/// use vfio_user::protocol::DmaMapFlags;
///
/// # let memory = std::fs::File::open("/dev/null")?;
/// let client = Client::attach("/run/vm/device.sock")?;
/// client.dma_map(DmaMapping {
///     iova: 0x8000_0000,
///     size: 0x10_0000,
///     file: memory.as_fd(),
///     offset: 0,
///     rights: DmaMapFlags::READ | DmaMapFlags::WRITE,
/// })?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DmaMapping<'a> {
    /// The first address at which the device accesses it.
    pub iova: u64,
    /// In bytes.
    pub size: u64,
    /// The file that holds the memory.
    pub file: BorrowedFd<'a>,
    /// The offset of its first byte in the file.
    pub offset: u64,
    /// [`DmaMapFlags::READ`] and [`DmaMapFlags::WRITE`] as seen from the device, and
    /// [`DmaMapFlags::FILE_IO`] to make the server read and write the file instead of mapping it.
    pub rights: DmaMapFlags,
}

/// The addresses for memory whose place the caller does not choose. Between them are those that
/// [`PciView`](super::PciView) assigns to BARs.
const LOW_MEMORY: Range<u64> = 0x10_0000..0x8000_0000;
pub(super) const HIGH_MEMORY: Range<u64> = 1 << 32..1 << 40;

impl Client {
    /// Lets the device access a file as memory (`VFIO_USER_DMA_MAP`).
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Argument`] if the range is empty, overlaps another one,
    /// is not aligned to the server's pages, or exceeds the number of mappings that the server
    /// accepts.
    pub fn dma_map(&self, mapping: DmaMapping<'_>) -> Result<()> {
        let DmaMapping { iova, size, file, offset, rights } = mapping;
        self.map(iova, size, offset, rights, None, &[file])
    }

    /// Lets the device access `size` bytes of `memory` at address `iova` by messages: the server
    /// sends requests, and this client reads and writes. The first such memory starts a thread that
    /// serves these requests while no call waits.
    ///
    /// # Errors
    ///
    /// As [`dma_map`](Self::dma_map).
    pub fn dma_map_memory(
        &self,
        iova: u64,
        size: u64,
        memory: Arc<dyn ClientMemory>,
        rights: DmaMapFlags,
    ) -> Result<()> {
        self.service.start(&self.connection, &self.memory)?;
        self.map(iova, size, 0, rights, Some(memory), &[])
    }

    /// Unmaps exactly this range (`VFIO_USER_DMA_UNMAP`). After it returns, the device no longer
    /// accesses the range.
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Argument`] if the range is empty or wraps around.
    pub fn dma_unmap(&self, iova: u64, size: u64) -> Result<()> {
        let last = last_address(iova, size)?;
        self.send_unmap(iova, size, DmaUnmapFlags::empty())?;
        self.memory.remove(iova, last);
        Ok(())
    }

    /// Unmaps as [`dma_unmap`](Self::dma_unmap), and returns the pages that the device has written
    /// since the last report, including its last write. The log must be
    /// [started](Self::start_dirty_log).
    ///
    /// # Errors
    ///
    /// As [`dma_unmap`](Self::dma_unmap) and [`dirty_pages`](Self::dirty_pages). A server that does
    /// not support it refuses, and the memory stays mapped.
    pub fn dma_unmap_dirty(&self, iova: u64, size: u64, page_size: u64) -> Result<DirtyPages> {
        let last = last_address(iova, size)?;
        let mut pages = DirtyPages::new(iova, size, page_size, self.max_bitmap())?;
        let bitmap = pages.bitmap_len();
        let head = DirtyBitmap { page_size: page_size.into(), size: (bitmap as u64).into() };
        let needed = size_of::<DmaUnmap>() + size_of::<DirtyBitmap>() + bitmap;
        let unmap = unmap(iova, size, DmaUnmapFlags::GET_DIRTY_BITMAP, needed);
        let parts = [unmap.as_bytes(), head.as_bytes()];
        let answer = self.connection.request(Command::DmaUnmap, &parts, &[])?;
        // Whatever the answer is, the memory is unmapped.
        let by_messages = self.memory.take_dirty(iova, last);
        self.memory.remove(iova, last);
        let (_, rest) = answer.split::<DmaUnmap>()?;
        let bitmap = rest.get(size_of::<DirtyBitmap>()..).unwrap_or_default();
        pages.fill(bitmap).map_err(|problem| answer.malformed(problem))?;
        for page in by_messages {
            pages.mark(page, PAGE_SIZE);
        }
        Ok(pages)
    }

    /// Unmaps all memory, range by range if the server supports no other way.
    ///
    /// # Errors
    ///
    /// Those of any request; the ranges before the one that failed are unmapped.
    pub fn dma_unmap_all(&self) -> Result<()> {
        match self.send_unmap(0, 0, DmaUnmapFlags::ALL) {
            Ok(()) => self.memory.remove(0, u64::MAX),
            Err(Error::Refused { .. }) => {
                for (first, last) in self.memory.ranges() {
                    // No client can map all 2^64 bytes, whose size does not fit.
                    self.dma_unmap(first, last - first + 1)?;
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn map(
        &self,
        iova: u64,
        size: u64,
        offset: u64,
        rights: DmaMapFlags,
        memory: Option<Arc<dyn ClientMemory>>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<()> {
        let last = self.check_map(iova, size)?;
        // The server may use the memory before its answer arrives.
        if !self.memory.insert(iova, MemoryMap { last, rights, memory }) {
            return Err(ArgumentError::Overlaps { iova, size }.into());
        }
        self.send_map(iova, size, offset, rights, fds)
    }

    /// Maps a file of `size` bytes, a multiple of [`dma_page`](Self::dma_page), at an address that
    /// is free, low if possible, because some devices cannot reach others. Returns the address.
    pub(super) fn map_anywhere(&self, file: BorrowedFd<'_>, size: u64) -> Result<u64> {
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        self.check_count()?;
        let mut free = [LOW_MEMORY, HIGH_MEMORY].into_iter();
        let iova = free
            .find_map(|range| self.memory.insert_free(range, size, self.dma_page(), rights))
            .ok_or(ArgumentError::NoAddresses(size))?;
        self.send_map(iova, size, 0, rights, &[file])?;
        Ok(iova)
    }

    /// Returns the size of the smallest page that the server maps.
    pub(super) fn dma_page(&self) -> u64 {
        let pages = self.server.pgsizes;
        (pages & pages.wrapping_neg()).max(PAGE_SIZE)
    }

    /// Sends a map that is in the table already, and removes it if the server refuses.
    fn send_map(
        &self,
        iova: u64,
        size: u64,
        offset: u64,
        rights: DmaMapFlags,
        fds: &[BorrowedFd<'_>],
    ) -> Result<()> {
        let map = DmaMap {
            argsz: 32.into(),
            flags: rights.bits().into(),
            offset: offset.into(),
            address: iova.into(),
            size: size.into(),
        };
        let answer = self.connection.request(Command::DmaMap, &[map.as_bytes()], fds);
        if answer.is_err() {
            self.memory.remove(iova, last_address(iova, size)?);
        }
        answer.map(drop)
    }

    /// Returns the last address of a range that the server can map.
    fn check_map(&self, iova: u64, size: u64) -> Result<u64> {
        let last = last_address(iova, size)?;
        let pages = self.server.pgsizes;
        let page = pages & pages.wrapping_neg();
        if page > 1 && (iova | size) & (page - 1) != 0 {
            return Err(ArgumentError::Unaligned { iova, size, page }.into());
        }
        self.check_count()?;
        Ok(last)
    }

    fn check_count(&self) -> Result<()> {
        if self.memory.count() as u64 >= self.server.max_dma_maps {
            return Err(ArgumentError::TooManyMappings(self.server.max_dma_maps).into());
        }
        Ok(())
    }

    fn send_unmap(&self, iova: u64, size: u64, flags: DmaUnmapFlags) -> Result<()> {
        let unmap = unmap(iova, size, flags, size_of::<DmaUnmap>());
        self.connection.request(Command::DmaUnmap, &[unmap.as_bytes()], &[])?;
        Ok(())
    }
}

/// Returns an unmap request with room for `room` bytes in the answer.
fn unmap(iova: u64, size: u64, flags: DmaUnmapFlags, room: usize) -> DmaUnmap {
    DmaUnmap {
        argsz: u32::try_from(room).unwrap_or(u32::MAX).into(),
        flags: flags.bits().into(),
        address: iova.into(),
        size: size.into(),
    }
}

/// Returns the last address of a range.
pub(super) fn last_address(iova: u64, size: u64) -> Result<u64> {
    let last = size.checked_sub(1).and_then(|less| iova.checked_add(less));
    last.ok_or(ArgumentError::NoRange { iova, size }.into())
}
