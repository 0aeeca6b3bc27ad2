//! Memory that the client maps.

use tracing::warn;

use super::{Request, size_of_u32};
use crate::dma::{AccessMode, NewRegion, Rights};
use crate::function::Function;
use crate::log_throttle::LogThrottle;
use crate::protocol::{DmaMap, DmaMapFlags, Errno};
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
