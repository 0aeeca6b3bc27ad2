//! Migration states, and the data that is read and written in them.

use zerocopy::FromBytes;

use super::{Request, after_quiesce, after_state_work};
use crate::function::Function;
use crate::migration;
use crate::protocol::{
    Errno, MigData, MigDataSize, MigDeviceState, MigrationFlags, MigrationInfo, MigrationState,
};
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// `VFIO_DEVICE_FEATURE_MIGRATION`.
pub(super) fn info(
    _function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let flags = MigrationFlags::STOP_COPY | MigrationFlags::PRE_COPY;
    request.answer_feature(reply, &MigrationInfo { flags: flags.bits().into() })
}

/// `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`, get.
pub(super) fn state(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let state = u32::from(function.migration_state().ok_or(Errno::ENOTTY)?);
    request.answer_feature(
        reply,
        &MigDeviceState { device_state: state.into(), ..MigDeviceState::default() },
    )
}

/// `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`, set: replies when the device has reached the state.
pub(super) fn set_state(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (head, data) = request.feature()?;
    let current = function.migration_state().ok_or(Errno::ENOTTY)?;
    let wanted = MigDeviceState::ref_from_bytes(data).map_err(|_| Errno::EINVAL)?;
    let target = MigrationState::try_from(wanted.device_state.get()).map_err(|_| Errno::EINVAL)?;
    // The error state cannot be requested, not even of a device that is in it.
    let is_reached = current == target && target != MigrationState::Error;
    if !is_reached && migration::next(current, target).is_none() {
        return Err(Errno::EINVAL);
    }
    let (head, wanted) = (*head, *wanted);
    let proceed =
        move |function: &mut dyn Function, blocked: &mut Option<Blocked>, reply: &mut Reply<'_>| {
            let reached = function.migrate(target);
            if function.migration_state().is_some_and(MigrationState::is_running) {
                function.dma().unpause();
            }
            // The memory of a state that is refused is restored before the answer.
            after_state_work(function, blocked, reply, move |_, _, reply| {
                reached?;
                reply.push(&head);
                reply.push(&wanted);
                Ok(())
            })
        };
    if current.is_running() && !target.is_running() {
        after_quiesce(function, &mut request.blocked, reply, proceed)
    } else {
        proceed(function, &mut request.blocked, reply)
    }
}

/// `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`.
pub(super) fn size(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    request.answer_feature(reply, &MigDataSize { stop_copy_length: function.state_size().into() })
}

/// `VFIO_USER_MIG_DATA_READ`.
pub(super) fn read(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (wanted, size) = data_of(function, request)?;
    // The size is the first field, and is known last.
    reply.push(wanted);
    let read = function.read_state(reply.space(size))?;
    // As long as requested, even if fewer bytes are valid: clients of libvfio-user accept nothing
    // shorter.
    reply.amend(&mig_data(read));
    Ok(())
}

/// `VFIO_USER_MIG_DATA_WRITE`.
pub(super) fn write(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (_, size) = data_of(function, request)?;
    let data = request.payload.get(size_of::<MigData>()..).and_then(|data| data.get(..size));
    function.write_state(data.ok_or(Errno::EINVAL)?)?;
    after_state_work(function, &mut request.blocked, reply, |_, _, _| Ok(()))
}

/// Parses the size of a read or a write.
fn data_of<'a>(
    function: &dyn Function,
    request: &Request<'a>,
) -> Result<(&'a MigData, usize), Errno> {
    let (data, _) = request.fixed::<MigData>()?;
    let size = data.size.get() as usize;
    let most = function.dma().limits().message_data;
    let fits = size <= most && data.argsz.get() as usize >= size_of::<MigData>() + size;
    if fits { Ok((data, size)) } else { Err(Errno::EINVAL) }
}

fn mig_data(size: usize) -> MigData {
    let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    MigData { argsz: number(size_of::<MigData>() + size).into(), size: number(size).into() }
}
