//! The program that hands its devices over.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::{Records, Role, TakeOver};
use crate::parcel::Packing;
use crate::server::endpoint::Endpoint;
use crate::server::registry::ThreadQueue;
use crate::server::shutdown::Shutdown;
use crate::server::successor::{Hello, Successor};
use crate::take_over::{Kind, TakeOverError};

/// The time for which a successor waits until all devices can be handed over.
const BUSY: Duration = Duration::from_secs(2);
/// The time that the devices have to stop.
const STOP: Duration = Duration::from_secs(1);
/// The time for all of it. Clients wait five seconds for an answer.
const PAUSE: Duration = Duration::from_secs(2);

/// The time in which a successor that serves the devices has to report it.
const START: Duration = Duration::from_secs(1);

/// What other threads use of the server.
#[derive(Clone, Copy)]
pub(in crate::server) struct Shared<'a> {
    pub(in crate::server) shutdown: &'a Shutdown,
    pub(in crate::server) queue: &'a ThreadQueue,
}

/// The result of an attempt.
pub(in crate::server) enum Attempt {
    /// The successor serves the devices.
    Done(Successor),
    /// A device cannot be handed over yet.
    Later(Successor),
    /// The devices continue here.
    Failed,
}

/// Hands all devices over, or none: then they go on here.
pub(in crate::server) fn hand_over(
    take_over: &mut TakeOver,
    mut successor: Successor,
    endpoints: &mut [&mut Endpoint],
    server: Shared<'_>,
) -> Attempt {
    let hindrance = check(&successor.hello, endpoints);
    if let Ok(Some(problem)) = &hindrance
        && successor.since.elapsed() < BUSY
    {
        tracing::trace!(%problem, "a program waits to take over");
        return Attempt::Later(successor);
    }
    let start = Instant::now();
    successor.peer.wait_until(Some(start + PAUSE));
    let handed = hindrance.and_then(|hindrance| match hindrance {
        Some(problem) => Err(problem),
        None => try_to(take_over, &mut successor, endpoints, server),
    });
    match handed {
        Ok(()) => {
            info!(took = ?start.elapsed(), "another program serves the devices from now on");
            take_over.role = Role::Succeeded;
            Attempt::Done(successor)
        }
        Err(error) => {
            for endpoint in endpoints.iter_mut() {
                endpoint.go_on(server.shutdown);
            }
            let _ = take_over.file.own();
            warn!(%error, took = ?start.elapsed(), "the devices are not handed over, and go on here");
            successor.peer.refuse(&error);
            Attempt::Failed
        }
    }
}

/// Returns why the devices cannot be handed over yet.
///
/// # Errors
///
/// Why they cannot be handed over at all.
fn check(
    hello: &Hello,
    endpoints: &[&mut Endpoint],
) -> Result<Option<TakeOverError>, TakeOverError> {
    let ours = Hello::new(endpoints.iter().map(|endpoint| endpoint.device_name()));
    if !ours.is_of_same_devices(hello) {
        return Err(TakeOverError::OtherDevices { theirs: hello.names(), ours: ours.names() });
    }
    for endpoint in endpoints {
        if let Some(problem) = endpoint.hindrance()? {
            return Ok(Some(problem));
        }
    }
    Ok(None)
}

fn try_to(
    take_over: &TakeOver,
    successor: &mut Successor,
    endpoints: &mut [&mut Endpoint],
    server: Shared<'_>,
) -> Result<(), TakeOverError> {
    let Role::Serving(watching) = &take_over.role else { return Err(TakeOverError::Ending) };
    let until = Instant::now() + STOP;
    endpoints.iter_mut().try_for_each(|endpoint| endpoint.stop(until))?;
    let mut parcel = Packing::default();
    let listener = parcel.add(watching.listener()?);
    let Successor { peer, hello, .. } = successor;
    let pairs = endpoints.iter_mut().zip(&hello.devices);
    let devices = pairs.map(|(endpoint, theirs)| endpoint.pack(&mut parcel, theirs));
    let devices = devices.collect::<Result<_, _>>()?;
    peer.send_parcel(&Records { take_over: listener, devices }, &parcel)?;
    peer.expect::<()>(Kind::Ready)?;
    // A shutdown of this program must not reach clients that it no longer has, nor must a second
    // signal remove files that are another program's.
    for (endpoint, theirs) in endpoints.iter_mut().zip(&hello.devices) {
        endpoint.unguard(theirs);
    }
    take_over.file.leave();
    if server.shutdown.is_requested() {
        return Err(TakeOverError::Ending);
    }
    // From here on handles cannot add or change devices.
    let is_committed = server.queue.close_after(|| peer.send(Kind::Commit, &()))?;
    if is_committed { Ok(()) } else { Err(TakeOverError::Changed) }
}

/// Waits until the successor reports that it serves, so that a service manager knows it before this
/// program ends.
pub(in crate::server) fn wait_for_start(mut successor: Successor) {
    successor.peer.wait_for_end(Instant::now() + START);
}
