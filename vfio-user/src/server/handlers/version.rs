//! `VFIO_USER_VERSION`: the first message of a client.

use std::os::fd::OwnedFd;

use tracing::debug;

use crate::fds::{CloseQueue, PeerFd};
use crate::protocol::{Capabilities, Errno, TwinSocket, Version};
use crate::server::negotiated::Negotiated;
use crate::server::twin::Twin;
use crate::transport::Reply;

/// The largest minor version that is supported. The versions do not differ in the messages.
const MINOR: u16 = 2;

/// Negotiates a version: the client's major, and no later minor than that of either side.
pub(in crate::server) fn version(
    payload: &[u8],
    fds: &[PeerFd],
    ours: &Capabilities,
    reply: &mut Reply<'_>,
    close_queue: &CloseQueue,
) -> Result<Negotiated, Errno> {
    if !fds.is_empty() {
        return Err(Errno::EINVAL);
    }
    let proposed = Version::decode(payload).map_err(|error| {
        debug!(%error, "version refused");
        Errno::EINVAL
    })?;
    if proposed.major != 0 {
        return Err(Errno::EINVAL);
    }
    let client = proposed.capabilities;
    // What both sides must support is offered only to a client that supports it.
    let write_multiple = ours.write_multiple && client.write_multiple;
    let mut capabilities = Capabilities { write_multiple, ..ours.clone() };
    let twin = twin(&client, close_queue);
    let twin = twin.map(|(twin, theirs)| {
        capabilities.twin_socket = Some(TwinSocket { supported: true, fd_index: Some(0) });
        reply.attach(theirs);
        twin
    });
    let negotiated = Version { major: 0, minor: proposed.minor.min(MINOR), capabilities };
    reply.push(negotiated.encode().as_slice());
    Ok(Negotiated { client, twin })
}

/// Creates both ends of a second socket, for a client that supports it.
fn twin(client: &Capabilities, close_queue: &CloseQueue) -> Option<(Twin, OwnedFd)> {
    let wanted = client.twin_socket.is_some_and(|twin| twin.supported) && client.max_msg_fds > 0;
    let pair = wanted.then(|| Twin::pair(close_queue))?;
    // The first socket suffices.
    pair.inspect_err(|error| debug!(%error, "the twin socket cannot be created")).ok()
}
