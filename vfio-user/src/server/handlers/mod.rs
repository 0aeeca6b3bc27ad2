//! The handlers of commands, one per command.

mod dirty;
mod dma;
mod feature;
mod info;
mod io_fds;
mod irqs;
mod migration;
mod region;
mod request;
mod unmap;
mod version;
mod write_multi;

use super::pending_request::Blocked;
use crate::dma::PendingUnmap;
use crate::function::Function;
use crate::protocol::{Command, Errno};
use crate::transport::Reply;

pub(super) use request::Request;
pub(super) use version::version;

/// Continues a request once the device has released memory, now or later. `finish` receives whether
/// it has.
fn after_release(
    function: &mut dyn Function,
    blocked: &mut Option<Blocked>,
    reply: &mut Reply<'_>,
    unmap: PendingUnmap,
    finish: impl FnOnce(
        &mut dyn Function,
        &mut Option<Blocked>,
        &mut Reply<'_>,
        bool,
    ) -> Result<(), Errno>
    + Send
    + 'static,
) -> Result<(), Errno> {
    match unmap.release_event() {
        Ok(None) => finish(function, blocked, reply, true),
        Ok(Some(release_event)) => {
            *blocked = Some(Blocked::for_memory(unmap, release_event, Box::new(finish)));
            Ok(())
        }
        Err(error) => {
            finish(function, blocked, reply, false)?;
            Err(error.into())
        }
    }
}

/// Continues a request once the device is stopped: nothing holds memory any more, and the events
/// that were posted before have been delivered.
fn after_quiesce(
    function: &mut dyn Function,
    blocked: &mut Option<Blocked>,
    reply: &mut Reply<'_>,
    finish: impl FnOnce(&mut dyn Function, &mut Option<Blocked>, &mut Reply<'_>) -> Result<(), Errno>
    + Send
    + 'static,
) -> Result<(), Errno> {
    function.quiesce();
    let held = function.dma().pause();
    after_release(function, blocked, reply, held, move |function, blocked, reply, is_released| {
        if !is_released {
            return refuse_to_stop(function);
        }
        function.stop();
        // A hook may have released memory since then.
        let held = function.dma().pause();
        after_release(
            function,
            blocked,
            reply,
            held,
            move |function, blocked, reply, is_released| {
                if is_released {
                    finish(function, blocked, reply)
                } else {
                    refuse_to_stop(function)
                }
            },
        )
    })
}

/// Continues a request once the function has nothing left to do for a state: a slice now, and one
/// in each later turn.
fn after_state_work(
    function: &mut dyn Function,
    blocked: &mut Option<Blocked>,
    reply: &mut Reply<'_>,
    finish: impl FnOnce(&mut dyn Function, &mut Option<Blocked>, &mut Reply<'_>) -> Result<(), Errno>
    + Send
    + 'static,
) -> Result<(), Errno> {
    if !function.continue_state()? {
        return finish(function, blocked, reply);
    }
    *blocked = Some(Blocked::for_turn(Box::new(move |function, blocked, reply, _| {
        after_state_work(function, blocked, reply, finish)
    })));
    Ok(())
}

/// Resumes the device, and fails the request.
fn refuse_to_stop(function: &mut dyn Function) -> Result<(), Errno> {
    function.dma().unpause();
    function.resume();
    Err(Errno::EBUSY)
}

/// Executes a command. On success the reply holds the payload; on an error it is discarded.
pub(super) type Handler =
    fn(&mut dyn Function, &mut Request<'_>, &mut Reply<'_>) -> Result<(), Errno>;

/// Returns the handler of a command that clients may send after the negotiation.
pub(super) fn find(command: Command) -> Option<Handler> {
    Some(match command {
        Command::DmaMap => dma::map,
        Command::DmaUnmap => unmap::unmap,
        Command::DeviceGetInfo => info::device,
        Command::DeviceGetRegionInfo => info::region,
        Command::DeviceGetRegionIoFds => io_fds::get,
        Command::DeviceGetIrqInfo => info::irq,
        Command::DeviceSetIrqs => irqs::set,
        Command::RegionRead => region::read,
        Command::RegionWrite => region::write,
        Command::RegionWriteMulti => write_multi::write_multi,
        Command::DeviceReset => reset,
        Command::DeviceFeature => feature::feature,
        Command::MigDataRead => migration::read,
        Command::MigDataWrite => migration::write,
        _ => return None,
    })
}

/// `VFIO_USER_DEVICE_RESET`.
fn reset(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    function.cancel_load();
    after_state_work(function, &mut request.blocked, reply, |function, blocked, reply| {
        after_quiesce(function, blocked, reply, |function, _, _| {
            function.dma().end_session();
            function.interrupts().end_session();
            function.reset();
            function.dma().unpause();
            Ok(())
        })
    })
}

/// Returns the size of a structure for `argsz`.
#[expect(clippy::cast_possible_truncation, reason = "structures of the protocol are small")]
const fn size_of_u32<T>() -> u32 {
    size_of::<T>() as u32
}
