//! Accesses to regions.

use super::Request;
use crate::device::Function;
use crate::protocol::{Errno, MAX_DATA_XFER_SIZE, RegionAccess, RegionFlags, RegionIndex};
use crate::transport::Reply;

/// `VFIO_USER_REGION_READ`.
pub(super) fn read(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (access, _) = request.fixed::<RegionAccess>()?;
    let (region, count) = admit(function, access, RegionFlags::READ)?;
    reply.push(access);
    if count == 0 {
        return Ok(());
    }
    function.read(region, access.offset.get(), reply.space(count))
}

/// `VFIO_USER_REGION_WRITE`.
pub(super) fn write(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (access, data) = request.fixed::<RegionAccess>()?;
    let (region, count) = admit(function, access, RegionFlags::WRITE)?;
    if data.len() != count {
        return Err(Errno::EINVAL);
    }
    if count > 0 {
        function.write(region, access.offset.get(), data)?;
    }
    if function.wants_reset() {
        function.reset_as_wanted();
    }
    reply.push(access);
    Ok(())
}

/// The region and the size of an access that is allowed.
pub(super) fn admit(
    function: &dyn Function,
    access: &RegionAccess,
    wanted: RegionFlags,
) -> Result<(RegionIndex, usize), Errno> {
    let index = RegionIndex::from(access.region.get());
    let count = access.count.get() as usize;
    let region = function.region(index);
    let end = access.offset.get().checked_add(count as u64);
    let inside = end.is_some_and(|end| end <= region.size);
    if !inside || count > MAX_DATA_XFER_SIZE || !region.flags.contains(wanted) {
        return Err(Errno::EINVAL);
    }
    Ok((index, count))
}
