//! The client's memory.

use std::time::Duration;

use tracing::warn;

use super::{Request, size_of_u32};
use crate::device::Function;
use crate::dma::{Access, NewRegion, Rights};
use crate::protocol::{DmaMap, DmaMapFlags, DmaUnmap, DmaUnmapFlags, Errno};
use crate::transport::Reply;

/// How long an unmap waits for the device to let go of the memory; clients wait five seconds.
const PATIENCE: Duration = Duration::from_secs(4);

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
    let region = match (request.fds.pop(), access) {
        (Some(file), access) => {
            NewRegion::file(iova, size, rights, file, map.offset.get(), access)?
        }
        (None, Access::Any) => NewRegion::messages(iova, size, rights)?,
        (None, _) => return Err(Errno::EINVAL),
    };
    if function.dma().add(region)? {
        function.dma_mapped(iova..=iova + (size - 1));
    }
    Ok(())
}

fn access(flags: DmaMapFlags) -> Result<Access, Errno> {
    match (flags.contains(DmaMapFlags::MMAP), flags.contains(DmaMapFlags::FILE_IO)) {
        (false, false) => Ok(Access::Any),
        (true, false) => Ok(Access::Mapping),
        (false, true) => Ok(Access::FileIo),
        (true, true) => Err(Errno::EINVAL),
    }
}

fn rights(flags: DmaMapFlags) -> Result<Rights, Errno> {
    let mut rights = Rights::empty();
    rights.set(Rights::READ, flags.contains(DmaMapFlags::READ));
    rights.set(Rights::WRITE, flags.contains(DmaMapFlags::WRITE));
    if rights.is_empty() { Err(Errno::EINVAL) } else { Ok(rights) }
}

/// `VFIO_USER_DMA_UNMAP`. The reply repeats the request.
pub(super) fn unmap(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (unmap, _) = request.fixed::<DmaUnmap>()?;
    if unmap.argsz.get() < size_of_u32::<DmaUnmap>() {
        return Err(Errno::EINVAL);
    }
    let flags = DmaUnmapFlags::from_bits(unmap.flags.get()).ok_or(Errno::EINVAL)?;
    let (first, size) = (unmap.address.get(), unmap.size.get());
    let last = if flags == DmaUnmapFlags::ALL && (first, size) == (0, 0) {
        u64::MAX
    } else if flags.is_empty() && size > 0 {
        first.checked_add(size - 1).ok_or(Errno::EINVAL)?
    } else {
        return Err(Errno::EINVAL);
    };
    take(function, first, last)?;
    reply.push(unmap);
    Ok(())
}

/// Takes memory away, once the device has let go of it.
fn take(function: &mut dyn Function, first: u64, last: u64) -> Result<(), Errno> {
    if !function.dma().has(first, last)? {
        return Ok(());
    }
    function.dma_unmapped(first..=last);
    let departure = function.dma().take(first, last)?;
    let Some(bell) = departure.bell()? else { return Ok(()) };
    if bell.wait(PATIENCE)?.is_none() && !departure.is_over() {
        warn!(first, last, "the device holds memory that the client wants to unmap");
        return Err(Errno::EBUSY);
    }
    Ok(())
}
