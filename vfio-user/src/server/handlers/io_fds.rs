//! Eventfds for doorbells.

use super::{Request, size_of_u32};
use crate::function::{Doorbell, Function, ShadowIoEventFd, ShadowIoEventFds};
use crate::model::DataMatch;
use crate::protocol::{
    Capabilities, Errno, IoFd, IoFdFlags, IoFdType, RegionFlags, RegionIndex, RegionIoFds,
    ShadowIoFd,
};
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
    if let Some(doorbells) = function.shadow_ioeventfds(index) {
        return answer_shadow(wanted, &doorbells, request.client, reply);
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

/// Replies in libvfio-user's layout. A client that cannot accept all descriptors gets none.
fn answer_shadow(
    wanted: &RegionIoFds,
    doorbells: &ShadowIoEventFds<'_>,
    client: &Capabilities,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let ShadowIoEventFds { entries, fds } = doorbells;
    let most = usize::try_from(client.max_msg_fds).unwrap_or(usize::MAX).min(MAX_FDS);
    let entries = if fds.len() <= most { &entries[..] } else { &[] };
    let count = u32::try_from(entries.len()).map_err(|_| Errno::E2BIG)?;
    let needed = count.checked_mul(size_of_u32::<ShadowIoFd>());
    let needed = needed.and_then(|size| size.checked_add(size_of_u32::<RegionIoFds>()));
    let needed = needed.ok_or(Errno::E2BIG)?;
    reply.push(&RegionIoFds { argsz: needed.into(), count: count.into(), ..*wanted });
    if needed > wanted.argsz.get() || entries.is_empty() {
        return Ok(());
    }
    for entry in entries {
        reply.push(&shadow_entry(entry));
    }
    for fd in fds {
        reply.attach(fd.try_clone_to_owned()?);
    }
    Ok(())
}

fn shadow_entry(doorbell: &ShadowIoEventFd) -> ShadowIoFd {
    let index = |index: usize| u32::try_from(index).unwrap_or(u32::MAX).into();
    let (shadow_fd_index, shadow_offset) = doorbell.shadow.unwrap_or((0, 0));
    let type_ = match doorbell.shadow {
        Some(_) => ShadowIoFd::TYPE,
        None => IoFdType::Ioeventfd.into(),
    };
    ShadowIoFd {
        offset: doorbell.offset.into(),
        size: doorbell.size.into(),
        fd_index: index(doorbell.fd.unwrap_or(usize::MAX)),
        type_: type_.into(),
        flags: doorbell.flags.into(),
        shadow_fd_index: index(shadow_fd_index),
        shadow_offset: shadow_offset.into(),
        datamatch: doorbell.data_match.into(),
    }
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
