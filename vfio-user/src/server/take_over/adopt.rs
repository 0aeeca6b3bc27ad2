//! The program that takes devices over.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use tracing::info;

use super::successors::Watching;
use super::{Records, Role, TakeOver};
use crate::parcel::Unpacking;
use crate::server::endpoint::Endpoint;
use crate::server::shutdown::Shutdown;
use crate::server::successor::Hello;
use crate::take_over::{Kind, Peer, TakeOverError};

/// The time for the other program to send its devices, after those that it has for itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes all devices of the other program over, if there is one, and runs them.
///
/// # Errors
///
/// Why the other program continues with them. The endpoints must not be served then.
pub(in crate::server) fn adopt(
    take_over: &mut TakeOver,
    endpoints: &mut [&mut Endpoint],
    shutdown: &Shutdown,
) -> Result<(), TakeOverError> {
    let Role::Successor(peer) = &mut take_over.role else { return Ok(()) };
    let start = Instant::now();
    let watching = take(peer, endpoints, shutdown).inspect_err(|error| peer.refuse(error))?;
    // Without the file there is nothing to remove in the end.
    let _ = take_over.file.own();
    for endpoint in endpoints.iter_mut() {
        endpoint.start(shutdown);
    }
    info!(took = ?start.elapsed(), "the devices of another program are served here from now on");
    if let Role::Successor(peer) = std::mem::replace(&mut take_over.role, Role::Serving(watching)) {
        take_over.predecessor = Some(peer);
    }
    Ok(())
}

/// Takes the devices until the other program has left them to this one. Returns the socket where
/// successors ask.
fn take(
    peer: &mut Peer,
    endpoints: &mut [&mut Endpoint],
    shutdown: &Shutdown,
) -> Result<Watching, TakeOverError> {
    peer.wait_until(Some(Instant::now() + PATIENCE));
    peer.send(Kind::Hello, &Hello::new(endpoints.iter().map(|endpoint| endpoint.device_name())))?;
    let (records, parcel) = peer.receive_parcel::<Records>()?;
    let watching = unpack(&records, &parcel, endpoints)?;
    commit(peer, shutdown)?;
    Ok(watching)
}

fn unpack(
    records: &Records,
    parcel: &Unpacking,
    endpoints: &mut [&mut Endpoint],
) -> Result<Watching, TakeOverError> {
    let (theirs, ours) = (records.devices.len(), endpoints.len());
    if theirs != ours {
        let problem = format!("it has {theirs} devices instead of {ours}");
        return Err(TakeOverError::malformed("PARCEL", &problem));
    }
    for (endpoint, record) in endpoints.iter_mut().zip(&records.devices) {
        endpoint.unpack(record, parcel)?;
    }
    let listener = UnixListener::from(parcel.owned(records.take_over)?);
    Ok(Watching::new(listener)?)
}

/// Reports that all is loaded, and waits until the other program has left the devices to this one.
/// It has not if it ends, or closes the connection. No time limits this wait: a message that is on
/// its way must not be missed.
fn commit(peer: &mut Peer, shutdown: &Shutdown) -> Result<(), TakeOverError> {
    if shutdown.is_requested() {
        return Err(TakeOverError::Ending);
    }
    peer.send(Kind::Ready, &())?;
    peer.wait_until(None);
    peer.expect::<()>(Kind::Commit)
}
