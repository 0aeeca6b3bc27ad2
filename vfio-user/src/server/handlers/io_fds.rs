//! Eventfds for doorbells.

use super::{Request, size_of_u32};
use crate::function::{Doorbell, Function};
use crate::model::DataMatch;
use crate::protocol::{Errno, IoFd, IoFdFlags, IoFdType, RegionFlags, RegionIndex, RegionIoFds};
use crate::sys::MAX_FDS;
use crate::transport::Reply;

/// `VFIO_USER_DEVICE_GET_REGION_IO_FDS`. A client that cannot accept a descriptor for every
/// doorbell gets those of the first ones, and writes to the others as to any register.
pub(super) fn get(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (wanted, _) = request.fixed::<RegionIoFds>()?;
    let room = wanted.argsz.get();
    if room < size_of_u32::<RegionIoFds>() || wanted.flags.get() != 0 || wanted.count.get() != 0 {
        return Err(Errno::EINVAL);
    }
    let index = RegionIndex::from(wanted.index.get());
    let accessible = RegionFlags::READ | RegionFlags::WRITE;
    if !function.region(index).flags.intersects(accessible) {
        return Err(Errno::EINVAL);
    }
    let mut doorbells = function.doorbells(index);
    let most = usize::try_from(request.client.max_msg_fds).unwrap_or(usize::MAX);
    doorbells.truncate(most.min(MAX_FDS));
    let count = u32::try_from(doorbells.len()).map_err(|_| Errno::E2BIG)?;
    let needed = size_of_u32::<RegionIoFds>() + count * size_of_u32::<IoFd>();
    reply.push(&RegionIoFds { argsz: needed.into(), count: count.into(), ..*wanted });
    if needed > room {
        return Ok(());
    }
    for (number, doorbell) in doorbells.iter().enumerate() {
        reply.push(&entry(doorbell, number));
        reply.attach(function.doorbell_fd(index, number)?);
    }
    Ok(())
}

fn entry(doorbell: &Doorbell, fd_index: usize) -> IoFd {
    let mut flags = IoFdFlags::empty();
    flags.set(IoFdFlags::PORT, doorbell.is_port);
    let datamatch = match doorbell.value {
        DataMatch::Any => 0,
        DataMatch::Value(value) => {
            flags |= IoFdFlags::DATAMATCH;
            value
        }
    };
    IoFd {
        offset: doorbell.offset.into(),
        size: doorbell.size.into(),
        fd_index: u32::try_from(fd_index).unwrap_or(u32::MAX).into(),
        type_: u32::from(IoFdType::Ioeventfd).into(),
        flags: flags.bits().into(),
        padding: 0.into(),
        datamatch: datamatch.into(),
    }
}
