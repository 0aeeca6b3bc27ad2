//! Accesses to regions.

mod long;

use super::Request;
use crate::function::Function;
use crate::protocol::{Errno, RegionAccess, RegionFlags, RegionIndex};
use crate::transport::Reply;
use long::{LongRead, LongWrite, divides};

/// The size of the configuration space of a PCI Express function, in bytes.
const EXPRESS_CONFIG_SIZE: u64 = 4096;

/// `VFIO_USER_REGION_READ`.
pub(super) fn read(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (access, _) = request.fixed::<RegionAccess>()?;
    let CheckedAccess { region, count, inside } =
        check_access(function, access, RegionFlags::READ)?;
    if divides(function, region, false, access, inside)? {
        let data = vec![0xff; count];
        let read = LongRead { access: *access, region, data, inside, done: 0 };
        return read.proceed(function, &mut request.blocked, reply);
    }
    reply.push(access);
    let (data, behind) = reply.space(count).split_at_mut(inside);
    behind.fill(0xff);
    if data.is_empty() { Ok(()) } else { function.read(region, access.offset.get(), data) }
}

/// `VFIO_USER_REGION_WRITE`.
pub(super) fn write(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (access, data) = request.fixed::<RegionAccess>()?;
    let CheckedAccess { region, count, inside } =
        check_access(function, access, RegionFlags::WRITE)?;
    if data.len() != count {
        return Err(Errno::EINVAL);
    }
    if divides(function, region, true, access, inside)? {
        let write = LongWrite { access: *access, region, data: data[..inside].to_vec(), done: 0 };
        return write.proceed(function, &mut request.blocked, reply);
    }
    if inside > 0 {
        function.write(region, access.offset.get(), &data[..inside])?;
    }
    reset_as_wanted(function);
    reply.push(access);
    Ok(())
}

fn reset_as_wanted(function: &mut dyn Function) {
    if function.wants_reset() {
        function.reset_as_wanted();
    }
}

/// An access that is allowed.
pub(super) struct CheckedAccess {
    pub(super) region: RegionIndex,
    /// In bytes.
    pub(super) count: usize,
    /// The number of bytes that the region has. Bytes beyond them read as ones and ignore writes.
    pub(super) inside: usize,
}

/// Checks whether an access is allowed.
///
/// The configuration space of a conventional function has 256 bytes, but its guest, and some VMMs
/// for it, access the range of a PCI Express function: the bus returns ones there (PCI Express 5.0,
/// section 7.2.2).
pub(super) fn check_access(
    function: &dyn Function,
    access: &RegionAccess,
    wanted: RegionFlags,
) -> Result<CheckedAccess, Errno> {
    let index = RegionIndex::from(access.region.get());
    let count = access.count.get() as usize;
    let region = function.region(index);
    let end = access.offset.get().checked_add(count as u64);
    let accessible = match index {
        RegionIndex::Config => region.size.max(EXPRESS_CONFIG_SIZE),
        _ => region.size,
    };
    let is_allowed = end.is_some_and(|end| end <= accessible);
    if !is_allowed || count > function.dma().limits().message_data || !region.flags.contains(wanted)
    {
        return Err(Errno::EINVAL);
    }
    let left = region.size.saturating_sub(access.offset.get());
    let inside = usize::try_from(left).map_or(count, |left| left.min(count));
    Ok(CheckedAccess { region: index, count, inside })
}
