//! Memory that the device may access.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::memory::{ClientMemory, Map};
use super::{Client, DirtyPages};
use crate::error::{ArgumentError, Error, Result};
use crate::protocol::{
    Command, DirtyBitmap, DmaMap, DmaMapFlags, DmaUnmap, DmaUnmapFlags, PAGE_SIZE,
};

/// A part of a file, as memory of the device.
///
/// ```no_run
/// use std::os::fd::AsFd;
/// use vfio_user::Client;
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
    /// The first address by which the device accesses it.
    pub iova: u64,
    /// In bytes.
    pub size: u64,
    /// What holds the memory.
    pub file: BorrowedFd<'a>,
    /// The first byte of the file, from its start.
    pub offset: u64,
    /// [`DmaMapFlags::READ`] and [`DmaMapFlags::WRITE`], from the device's side, and
    /// [`DmaMapFlags::FILE_IO`] to have the file read and written instead of mapped.
    pub rights: DmaMapFlags,
}

impl Client {
    /// Lets the device access a file as memory (`VFIO_USER_DMA_MAP`).
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Argument`] if the range is empty, overlaps another one,
    /// is not aligned to the server's pages, or is one more than the server takes.
    pub fn dma_map(&self, mapping: DmaMapping<'_>) -> Result<()> {
        let DmaMapping { iova, size, file, offset, rights } = mapping;
        self.map(iova, size, offset, rights, None, &[file])
    }

    /// Lets the device access `size` bytes of `memory` at address `iova`, by messages: the server
    /// asks, and this client reads and writes. The first such memory starts a thread that does so
    /// while no call waits.
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

    /// Takes back what was mapped at exactly this range (`VFIO_USER_DMA_UNMAP`). When this returns,
    /// the device accesses it no more.
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

    /// As [`dma_unmap`](Self::dma_unmap), and tells which pages the device has written since the last
    /// report, to the very last write. The log has to be [started](Self::start_dirty_log).
    ///
    /// # Errors
    ///
    /// As [`dma_unmap`](Self::dma_unmap) and [`dirty_pages`](Self::dirty_pages). Servers that do not
    /// know how refuse, and the memory stays mapped.
    pub fn dma_unmap_dirty(&self, iova: u64, size: u64, page_size: u64) -> Result<DirtyPages> {
        let last = last_address(iova, size)?;
        let mut pages = DirtyPages::new(iova, size, page_size, self.max_transfer())?;
        let bitmap = pages.bitmap_len();
        let head = DirtyBitmap { page_size: page_size.into(), size: (bitmap as u64).into() };
        let needed = size_of::<DmaUnmap>() + size_of::<DirtyBitmap>() + bitmap;
        let unmap = unmap(iova, size, DmaUnmapFlags::GET_DIRTY_BITMAP, needed);
        let parts = [unmap.as_bytes(), head.as_bytes()];
        let answer = self.connection.request(Command::DmaUnmap, &parts, &[])?;
        // Whatever the answer says, the memory is gone.
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

    /// Takes back all that was mapped, one by one if the server knows no other way.
    ///
    /// # Errors
    ///
    /// Those of any request; what was before the one that failed has been taken back.
    pub fn dma_unmap_all(&self) -> Result<()> {
        match self.send_unmap(0, 0, DmaUnmapFlags::ALL) {
            Ok(()) => self.memory.remove(0, u64::MAX),
            Err(Error::Refused { .. }) => {
                for (first, last) in self.memory.ranges() {
                    // Nobody can map all 2^64 bytes, whose number is none.
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
        // The server may use it before its answer is here.
        if !self.memory.insert(iova, Map { last, rights, memory }) {
            return Err(ArgumentError::Overlaps { iova, size }.into());
        }
        let map = DmaMap {
            argsz: 32.into(),
            flags: rights.bits().into(),
            offset: offset.into(),
            address: iova.into(),
            size: size.into(),
        };
        let answer = self.connection.request(Command::DmaMap, &[map.as_bytes()], fds);
        if answer.is_err() {
            self.memory.remove(iova, last);
        }
        answer.map(drop)
    }

    /// The last address of a range that the server can take.
    fn check_map(&self, iova: u64, size: u64) -> Result<u64> {
        let last = last_address(iova, size)?;
        let pages = self.server.pgsizes;
        let page = pages & pages.wrapping_neg();
        if page > 1 && (iova | size) & (page - 1) != 0 {
            return Err(ArgumentError::Unaligned { iova, size, page }.into());
        }
        if self.memory.count() as u64 >= self.server.max_dma_maps {
            return Err(ArgumentError::TooManyMappings(self.server.max_dma_maps).into());
        }
        Ok(last)
    }

    fn send_unmap(&self, iova: u64, size: u64, flags: DmaUnmapFlags) -> Result<()> {
        let unmap = unmap(iova, size, flags, size_of::<DmaUnmap>());
        self.connection.request(Command::DmaUnmap, &[unmap.as_bytes()], &[])?;
        Ok(())
    }
}

/// A request with room for `room` bytes in the answer.
fn unmap(iova: u64, size: u64, flags: DmaUnmapFlags, room: usize) -> DmaUnmap {
    DmaUnmap {
        argsz: u32::try_from(room).unwrap_or(u32::MAX).into(),
        flags: flags.bits().into(),
        address: iova.into(),
        size: size.into(),
    }
}

/// The last address of a range.
pub(super) fn last_address(iova: u64, size: u64) -> Result<u64> {
    let last = size.checked_sub(1).and_then(|less| iova.checked_add(less));
    last.ok_or(ArgumentError::NoRange { iova, size }.into())
}
