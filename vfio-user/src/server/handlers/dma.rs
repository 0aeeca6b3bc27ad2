//! The client's memory.

use tracing::warn;
use zerocopy::FromBytes;

use super::dirty::sweep_on;
use super::{Request, after_release, size_of_u32};
use crate::dma::{AccessMode, NewRegion, Report, Rights, Sweep, last_address};
use crate::function::Function;
use crate::log_throttle::LogThrottle;
use crate::protocol::{
    DirtyBitmap, DmaMap, DmaMapFlags, DmaUnmap, DmaUnmapFlags, Errno, MAX_BITMAP_SIZE,
};
use crate::transport::Reply;

/// `VFIO_USER_DMA_MAP`.
pub(super) fn map(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    _reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (map, _) = request.fixed::<DmaMap>()?;
    if map.argsz.get() < size_of_u32::<DmaMap>() || request.fds.len() > 1 {
        return Err(Errno::EINVAL);
    }
    let flags = DmaMapFlags::from_bits(map.flags.get()).ok_or(Errno::EINVAL)?;
    let (iova, size, rights) = (map.address.get(), map.size.get(), rights(flags)?);
    let access = access(flags)?;
    let region = match (request.fds.take(0), access) {
        (Some(file), access) => {
            let accepted = function.dma().accepted();
            NewRegion::file(iova, size, rights, file, map.offset.get(), access, accepted)
                .inspect_err(|errno| warn_of_refused(*errno))?
        }
        (None, AccessMode::Any) => NewRegion::messages(iova, size, rights)?,
        (None, _) => return Err(Errno::EINVAL),
    };
    if function.dma().add(region)? {
        function.dma_mapped(iova..=iova + (size - 1));
    }
    Ok(())
}

/// Logs that a map was refused because of the kind of its file, which the operator has to change.
fn warn_of_refused(errno: Errno) {
    static REFUSED: LogThrottle = LogThrottle::new();
    if errno == Errno::EPERM
        && let Some(count) = REFUSED.hit()
    {
        warn!(
            count,
            "memory is refused that is no memfd and no file of tmpfs or hugetlbfs; \
             --any-memory-file accepts it"
        );
    }
}

fn access(flags: DmaMapFlags) -> Result<AccessMode, Errno> {
    match (flags.contains(DmaMapFlags::MMAP), flags.contains(DmaMapFlags::FILE_IO)) {
        (false, false) => Ok(AccessMode::Any),
        (true, false) => Ok(AccessMode::Mapping),
        (false, true) => Ok(AccessMode::FileIo),
        (true, true) => Err(Errno::EINVAL),
    }
}

fn rights(flags: DmaMapFlags) -> Result<Rights, Errno> {
    let mut rights = Rights::empty();
    rights.set(Rights::READ, flags.contains(DmaMapFlags::READ));
    rights.set(Rights::WRITE, flags.contains(DmaMapFlags::WRITE));
    if rights.is_empty() { Err(Errno::EINVAL) } else { Ok(rights) }
}

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
    function.dma_unmapped(first..=last);
    let pending = function.dma().take(first, last)?;
    // Nothing waits for writes that were cancelled.
    function.interrupts().settle();
    let gone = pending.clone();
    after_release(
        function,
        &mut request.blocked,
        reply,
        pending,
        move |function, blocked, reply, is_released| {
            // Memory that is not released stays occupied: no other can be mapped there.
            if !is_released {
                return Err(Errno::EBUSY);
            }
            let Some(Bitmap { head, size }) = bitmap else {
                answer(reply, &unmap, None);
                return Ok(());
            };
            let found = (gone.sweep(first, last), Report::new(first, head.page_size.get(), size));
            let step = |(sweep, report): &mut (Sweep, Report)| sweep.report(report);
            sweep_on(found, step, function, blocked, reply, move |(_, report), _, reply| {
                answer(reply, &unmap, Some((head, report.bitmap())));
            });
            Ok(())
        },
    )
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
