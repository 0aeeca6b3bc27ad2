//! Accesses to regions.

use tracing::debug;
use zerocopy::FromBytes as _;

use super::{Request, once_quiet};
use crate::device::Function;
use crate::protocol::{
    Errno, MAX_DATA_XFER_SIZE, RegionAccess, RegionFlags, RegionIndex, WriteMulti, WriteMultiEntry,
};
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
        let access = *access;
        return once_quiet(function, &mut request.wait, reply, move |function, reply| {
            function.dma().end_session();
            function.reset_as_wanted();
            function.dma().unpause();
            reply.push(&access);
            Ok(())
        });
    }
    reply.push(access);
    Ok(())
}

/// `VFIO_USER_REGION_WRITE_MULTI`: small writes, in order, up to the first that fails. Taken from
/// every client, negotiated or not: some versions of QEMU send it anyway.
pub(super) fn write_multi(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (multi, entries) = request.fixed::<WriteMulti>()?;
    let entries = <[WriteMultiEntry]>::ref_from_bytes(entries).map_err(|_| Errno::EINVAL)?;
    if multi.count.get() != entries.len() as u64 {
        return Err(Errno::EINVAL);
    }
    let mut done: u64 = 0;
    for entry in entries {
        match write_one(function, entry) {
            Ok(()) => done += 1,
            Err(errno) if done == 0 => return Err(errno),
            Err(errno) => {
                debug!(%errno, done, of = entries.len(), "not all writes were done");
                break;
            }
        }
    }
    reply.push(&WriteMulti { count: done.into() });
    Ok(())
}

fn write_one(function: &mut dyn Function, entry: &WriteMultiEntry) -> Result<(), Errno> {
    let WriteMultiEntry { offset, region, count, data } = *entry;
    let access = RegionAccess { offset, region, count };
    let (region, count) = admit(function, &access, RegionFlags::WRITE)?;
    let data = data.get(..count).ok_or(Errno::EINVAL)?;
    if !data.is_empty() {
        function.write(region, offset.get(), data)?;
    }
    // The writes behind it cannot wait.
    if function.wants_reset() {
        function.reset_as_wanted();
    }
    Ok(())
}

/// The region and the size of an access that is allowed.
fn admit(
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
