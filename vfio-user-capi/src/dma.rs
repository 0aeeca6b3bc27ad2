//! The client's memory: callbacks, and lists of its parts.

use std::ffi::c_void;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::ptr;
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::{DmaError, DmaMessages, DmaSegment, EventFd};

use crate::abi::{DmaInfo, IoVec, PROT_READ, PROT_WRITE, ScatterGather};
use crate::boundary::Result;
use crate::context::Context;
use crate::region::errno_of;

/// The size of a page, and that of the largest huge page.
const SMALL_PAGE: usize = 4096;
const LARGEST_PAGE: usize = 16 << 30;

impl Context {
    /// Tells the program of a region that the client has mapped.
    pub(crate) fn note_mapped(&self, iova: u64) {
        // The segment holds the region, so it ends before the callback.
        if let Some(info) = self.dma.region(iova).map(|region| info(&region)) {
            self.call_dma(self.callbacks.dma_register.get(), info);
        }
    }

    /// Tells the program of the regions that the client is about to unmap.
    pub(crate) fn note_unmapped(&self, range: RangeInclusive<u64>) {
        let is_inside = |region: &DmaSegment| {
            let last = region.iova() + (region.len() - 1);
            range.contains(&region.iova()) && range.contains(&last)
        };
        let regions = self.dma.regions();
        let inside: Vec<_> = regions.iter().filter(|region| is_inside(region)).map(info).collect();
        drop(regions);
        for info in inside {
            self.call_dma(self.callbacks.dma_unregister.get(), info);
        }
    }

    /// Divides a range by the regions that it touches. Returns the number of parts, of which `fill`
    /// receives each with its index.
    ///
    /// # Errors
    ///
    /// `ENOENT` for memory that is not mapped, `EACCES` for a right that the client does not grant.
    pub(crate) fn divide(
        &self,
        mut iova: u64,
        len: usize,
        prot: u32,
        mut fill: impl FnMut(usize, ScatterGather),
    ) -> Result<usize> {
        let (mut left, mut count) = (len as u64, 0);
        while left > 0 {
            let region = self.dma.region(iova).ok_or(Errno::ENOENT)?;
            let is_writable = prot & PROT_WRITE != 0;
            if is_writable && !region.is_writable() {
                return Err(Errno::EACCES);
            }
            let offset = iova - region.iova();
            let length = left.min(region.len() - offset);
            let start = usize::try_from(region.iova()).map_err(|_| Errno::ENOENT)?;
            fill(
                count,
                ScatterGather {
                    region_start: start,
                    valid: 1,
                    length,
                    offset,
                    writeable: is_writable.into(),
                },
            );
            count += 1;
            left -= length;
            iova = iova.wrapping_add(length);
        }
        Ok(count)
    }

    /// Returns where a part is mapped in this process.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a part that the library has not filled in, `EFAULT` if it is not mapped.
    pub(crate) fn address(&self, part: &ScatterGather) -> Result<IoVec> {
        if part.valid != 1 {
            return Err(Errno::EINVAL);
        }
        let region = self.dma.region(part.iova()).ok_or(Errno::EINVAL)?;
        let start = region.address().ok_or(Errno::EFAULT)?;
        let offset = part.iova() - region.iova();
        let end = offset.checked_add(part.length);
        if end.is_none_or(|end| end > region.len()) {
            return Err(Errno::EINVAL);
        }
        let offset = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        let len = usize::try_from(part.length).map_err(|_| Errno::EFAULT)?;
        Ok(IoVec { base: start.as_ptr().wrapping_add(offset).cast::<c_void>(), len })
    }

    /// Marks a part as written, if it may be written.
    pub(crate) fn mark(&self, part: &ScatterGather) {
        if part.writeable != 0 {
            self.dma.mark_dirty(part.iova(), part.length);
        }
    }

    pub(crate) fn is_mappable(&self, part: &ScatterGather) -> bool {
        self.dma.region(part.iova()).is_some_and(|region| region.address().is_some())
    }

    pub(crate) fn read_part(
        &self,
        part: &ScatterGather,
        data: &mut [u8],
        is_direct: bool,
    ) -> Result<()> {
        let iova = part.iova();
        if self.goes_by_messages(iova, is_direct)? {
            let chunk = self.chunk();
            return self.serve_while(move |dma| {
                let mut parts = (iova..).step_by(chunk).zip(data.chunks_mut(chunk));
                parts.try_for_each(|(iova, part)| dma.read(iova, part))
            });
        }
        self.dma.read(iova, data).map_err(|error| errno_of_dma(&error))
    }

    pub(crate) fn write_part(
        &self,
        part: &ScatterGather,
        data: &[u8],
        is_direct: bool,
    ) -> Result<()> {
        if part.writeable == 0 {
            return Err(Errno::EPERM);
        }
        let iova = part.iova();
        if self.goes_by_messages(iova, is_direct)? {
            let chunk = self.chunk();
            return self.serve_while(move |dma| {
                let mut parts = (iova..).step_by(chunk).zip(data.chunks(chunk));
                parts.try_for_each(|(iova, part)| dma.write(iova, part))
            });
        }
        self.dma.write(iova, data).map_err(|error| errno_of_dma(&error))
    }

    /// Returns whether a transfer is a request to the client, whose answer is received here: a
    /// program may want its client to observe the access. In a callback the server cannot run:
    /// mapped memory is accessed directly, other writes are queued, and other reads fail.
    fn goes_by_messages(&self, iova: u64, is_direct: bool) -> Result<bool> {
        let region = self.dma.region(iova).ok_or(Errno::ENOENT)?;
        let is_reachable = region.address().is_some() || region.file().is_some();
        Ok(!(self.is_serving() || (is_direct && is_reachable)))
    }

    /// Returns the length of a message: some clients of libvfio-user take one at a time.
    fn chunk(&self) -> usize {
        usize::try_from(self.max_data.get()).unwrap_or(usize::MAX).clamp(1, 1 << 20)
    }

    /// Runs a transfer on a thread that waits for the client's answers, and the server meanwhile.
    fn serve_while(
        &self,
        transfer: impl FnOnce(&DmaMessages) -> std::result::Result<(), DmaError> + Send,
    ) -> Result<()> {
        let dma = self.dma.messages().map_err(|error| errno_of(&error))?;
        let ended = EventFd::new().map_err(|error| errno_of(&error))?;
        self.transferring(|| {
            thread::scope(|scope| {
                let waiting = thread::Builder::new().spawn_scoped(scope, || {
                    let done = transfer(&dma);
                    ended.signal();
                    done
                });
                let waiting = waiting.map_err(|error| errno_of(&error))?;
                while !waiting.is_finished() {
                    let served = self.process().and_then(|()| self.wait_for(&ended));
                    if let Err(errno) = served {
                        // No answer arrives any more: without a session the transfer ends at once.
                        self.end();
                        return Err(errno);
                    }
                }
                match waiting.join() {
                    Ok(done) => done.map_err(|error| errno_of_dma(&error)),
                    Err(_) => Err(Errno::EIO),
                }
            })
        })
    }

    /// Waits until the transfer has ended, or the server has work.
    fn wait_for(&self, ended: &EventFd) -> Result<()> {
        self.with_server(|server| {
            let interest = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut fds = [interest(ended.as_fd()), interest(server.poll_fd())];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => Ok(()),
                Err(errno) => Err(io::Error::from(errno).into()),
            }
        })
    }
}

impl ScatterGather {
    fn iova(&self) -> u64 {
        (self.region_start as u64).wrapping_add(self.offset)
    }
}

/// Describes a region to the program.
fn info(region: &DmaSegment) -> DmaInfo {
    let vec = |start: usize, len: usize| IoVec { base: ptr::without_provenance_mut(start), len };
    let len = usize::try_from(region.len()).unwrap_or(usize::MAX);
    let mut prot = 0;
    prot |= if region.is_readable() { PROT_READ } else { 0 };
    prot |= if region.is_writable() { PROT_WRITE } else { 0 };
    let iova = vec(usize::try_from(region.iova()).unwrap_or(usize::MAX), len);
    let Some(start) = region.address() else {
        let (vaddr, mapping) = (ptr::null_mut(), vec(0, 0));
        return DmaInfo { iova, vaddr, mapping, page_size: SMALL_PAGE, prot };
    };
    let page_size = page_size(region);
    let first = start.as_ptr().addr() & !(page_size - 1);
    let end = (start.as_ptr().addr() + len).next_multiple_of(page_size);
    let vaddr = start.as_ptr().cast::<c_void>();
    DmaInfo { iova, vaddr, mapping: vec(first, end - first), page_size, prot }
}

/// Returns the size of the pages of a region's file, which may be huge ones.
fn page_size(region: &DmaSegment) -> usize {
    let file = region.file().and_then(|(file, _)| nix::sys::stat::fstat(file).ok());
    let size = file.and_then(|stat| usize::try_from(stat.st_blksize).ok());
    // A file system of the client's may say anything.
    let is_page =
        |size: &usize| size.is_power_of_two() && (SMALL_PAGE..=LARGEST_PAGE).contains(size);
    size.filter(is_page).unwrap_or(SMALL_PAGE)
}

/// Returns the nearest number.
fn errno_of_dma(error: &DmaError) -> Errno {
    match error {
        DmaError::MessageMode { .. } => Errno::EDEADLK,
        DmaError::Refused { errno, .. } => {
            i32::try_from(errno.get()).map_or(Errno::EIO, Errno::from_raw)
        }
        _ => Errno::EIO,
    }
}
