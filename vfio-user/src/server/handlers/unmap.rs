//! Memory that the client unmaps.

use zerocopy::FromBytes;

use super::dirty::sweep_on;
use super::{Request, after_release};
use crate::dma::{Leftovers, PendingUnmap, Report, Sweep, last_address};
use crate::function::Function;
use crate::protocol::{DirtyBitmap, DmaUnmap, DmaUnmapFlags, Errno, MAX_BITMAP_SIZE};
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// `VFIO_USER_DMA_UNMAP`. The reply repeats the request, and reports the written pages if the
/// client requests them.
pub(super) fn unmap(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (unmap, rest) = request.fixed::<DmaUnmap>()?;
    let flags = DmaUnmapFlags::from_bits(unmap.flags.get()).ok_or(Errno::EINVAL)?;
    let (first, size) = (unmap.address.get(), unmap.size.get());
    let last = match flags {
        DmaUnmapFlags::ALL if (first, size) == (0, 0) => u64::MAX,
        DmaUnmapFlags::ALL => return Err(Errno::EINVAL),
        _ => last_address(first, size)?,
    };
    let bitmap = match flags.contains(DmaUnmapFlags::GET_DIRTY_BITMAP) {
        true if flags.contains(DmaUnmapFlags::ALL) || !function.dma().is_logging() => {
            return Err(Errno::EINVAL);
        }
        true => Some(Bitmap::new(rest, size)?),
        false => None,
    };
    let needed = size_of::<DmaUnmap>() + bitmap.as_ref().map_or(0, Bitmap::len);
    if (unmap.argsz.get() as usize) < needed {
        return Err(Errno::EINVAL);
    }
    let unmap = *unmap;
    if !function.dma().has(first, last)? {
        let nothing = bitmap.map(|bitmap| (bitmap.head, vec![0; bitmap.size]));
        answer(reply, &unmap, nothing.as_ref().map(|(head, bits)| (*head, &bits[..])));
        return Ok(());
    }
    let leftovers = Leftovers::default();
    let removal = Removal { unmap, bitmap, first, last, next: first, gone: Vec::new(), leftovers };
    removal.proceed(function, &mut request.blocked, reply)
}

/// An unmap, of which a part is done.
struct Removal {
    unmap: DmaUnmap,
    bitmap: Option<Bitmap>,
    first: u64,
    last: u64,
    /// The first address that is left.
    next: u64,
    /// The removed regions that are still needed: held ones, or all of them for a bitmap.
    gone: Vec<PendingUnmap>,
    /// The mappings of removed regions that are still to be unmapped.
    leftovers: Leftovers,
}

impl Removal {
    /// Removes a slice, and continues at the next turn or waits for the device.
    fn proceed(
        mut self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Errno> {
        let end = function.dma().end_of_slice(self.next, self.last);
        // Until then the device can take guards, also between two slices.
        if function.dma().has(self.next, end)? {
            function.dma_unmapped(self.next..=end);
        }
        let slice = self.leftovers.collect(|| function.dma().take(self.next, end))?;
        if self.bitmap.is_some() || !slice.is_released() {
            self.gone.push(slice);
        }
        // Nothing waits for writes that were cancelled.
        function.interrupts().settle();
        if end == self.last {
            return self.unmap_leftovers(function, blocked, reply);
        }
        self.next = end + 1;
        *blocked = Some(Blocked::for_turn(Box::new(|function, blocked, reply, _| {
            self.proceed(function, blocked, reply)
        })));
        Ok(())
    }

    /// Unmaps the mappings in slices, while the device has time to release the others.
    fn unmap_leftovers(
        mut self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Errno> {
        if !self.leftovers.unmap_slice() {
            return self.wait(function, blocked, reply);
        }
        *blocked = Some(Blocked::for_turn(Box::new(|function, blocked, reply, _| {
            self.unmap_leftovers(function, blocked, reply)
        })));
        Ok(())
    }

    /// Answers once the device has released all of the memory.
    fn wait(
        self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Errno> {
        let Some(unmap) = self.gone.iter().find(|unmap| !unmap.is_released()).cloned() else {
            self.answer(function, blocked, reply);
            return Ok(());
        };
        after_release(
            function,
            blocked,
            reply,
            unmap,
            move |function, blocked, reply, is_released| {
                // Memory that is not released stays occupied: no other can be mapped there.
                if is_released { self.wait(function, blocked, reply) } else { Err(Errno::EBUSY) }
            },
        )
    }

    fn answer(
        self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) {
        let Removal { unmap, bitmap, first, last, gone, .. } = self;
        let Some(Bitmap { head, size }) = bitmap else {
            return answer(reply, &unmap, None);
        };
        let sweep = PendingUnmap::sweep(&gone, first, last);
        drop(gone);
        let found = (sweep, Report::new(first, head.page_size.get(), size));
        let step = |(sweep, report): &mut (Sweep, Report)| sweep.report(report);
        sweep_on(found, step, function, blocked, reply, move |(_, mut report), function, reply| {
            if let Some(shown) = function.shown_pages() {
                shown.show(first..=last, &mut report);
            }
            answer(reply, &unmap, Some((head, report.bitmap())));
        });
    }
}

/// Replies with the request, and the bitmap of the unmapped memory if the client requests it.
fn answer(reply: &mut Reply<'_>, unmap: &DmaUnmap, bitmap: Option<(DirtyBitmap, &[u8])>) {
    reply.push(unmap);
    if let Some((head, bits)) = bitmap {
        reply.push(&head);
        reply.push(bits);
    }
}

/// The bitmap that a client requests with an unmap.
#[derive(Clone, Copy)]
struct Bitmap {
    head: DirtyBitmap,
    /// In bytes; may be larger than necessary.
    size: usize,
}

impl Bitmap {
    fn new(payload: &[u8], memory: u64) -> Result<Self, Errno> {
        let (head, _) = DirtyBitmap::ref_from_prefix(payload).map_err(|_| Errno::EINVAL)?;
        let needed = bitmap_size(memory, head.page_size.get())?;
        let size = usize::try_from(head.size.get()).map_err(|_| Errno::E2BIG)?;
        if size > MAX_BITMAP_SIZE {
            return Err(Errno::E2BIG);
        }
        if size < needed { Err(Errno::EINVAL) } else { Ok(Bitmap { head: *head, size }) }
    }

    /// Its size in the reply, in bytes.
    fn len(&self) -> usize {
        size_of::<DirtyBitmap>() + self.size
    }
}

/// Returns the size of the dirty bitmap of this many bytes of memory.
///
/// # Errors
///
/// EINVAL if the page size is invalid, E2BIG if there would be too many pages.
pub(super) fn bitmap_size(memory: u64, page_size: u64) -> Result<usize, Errno> {
    if !page_size.is_power_of_two() {
        return Err(Errno::EINVAL);
    }
    match usize::try_from(Report::bitmap_size(memory, page_size)) {
        Ok(size) if size <= MAX_BITMAP_SIZE => Ok(size),
        _ => Err(Errno::E2BIG),
    }
}
