//! `VFIO_USER_VERSION`: the first message of a client.

use std::os::fd::OwnedFd;

use tracing::debug;

use crate::protocol::{Capabilities, Errno, Version};
use crate::transport::Reply;

/// The largest minor version that we know. None of them differ in what is sent.
const MINOR: u16 = 2;

/// Agrees on a version, the client's major and no later minor than either side's; tells what the
/// client can do.
pub(in crate::server) fn version(
    payload: &[u8],
    fds: &[OwnedFd],
    reply: &mut Reply<'_>,
) -> Result<Capabilities, Errno> {
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
    let agreed =
        Version { major: 0, minor: proposed.minor.min(MINOR), capabilities: Capabilities::ours() };
    reply.push(agreed.encode().as_slice());
    Ok(proposed.capabilities)
}
