//! The client's memory.

use super::{Request, size_of_u32};
use crate::device::Function;
use crate::dma::{Region, Rights};
use crate::protocol::{DmaMap, DmaMapFlags, DmaUnmap, DmaUnmapFlags, Errno};
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
    let by_file_io = flags.contains(DmaMapFlags::FILE_IO);
    let mapped = flags.contains(DmaMapFlags::MMAP);
    let region = match request.fds.pop() {
        Some(_) if by_file_io && mapped => return Err(Errno::EINVAL),
        Some(file) => Region::file(iova, size, rights, file, map.offset.get(), by_file_io)?,
        None if by_file_io || mapped => return Err(Errno::EINVAL),
        None => Region::messages(iova, size, rights)?,
    };
    function.dma().map(region)
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
    function.dma().unmap(first, last)?;
    reply.push(unmap);
    Ok(())
}
