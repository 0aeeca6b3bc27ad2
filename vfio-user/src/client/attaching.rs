//! The first requests of a client.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, SockType, SockaddrLike, SockaddrStorage, getpeername, getsockname, getsockopt,
    sockopt,
};
use zerocopy::IntoBytes;

use super::DeviceDetails;
use super::calls::Answer;
use super::connection::Connection;
use super::limits::ClientLimits;
use crate::error::{Error, ReplyError, Result};
use crate::protocol::{
    self, Capabilities, Command, DeviceFlags, DeviceInfo, MigrationCapability, TwinSocket, Version,
};
use crate::wait::FOR_EVER;

/// A client that attaches.
pub(super) struct Attaching<'a> {
    connection: &'a Connection,
    limits: &'a ClientLimits,
    /// When the server must have answered everything.
    deadline: Instant,
}

impl<'a> Attaching<'a> {
    pub(super) fn new(connection: &'a Connection, limits: &'a ClientLimits) -> Self {
        let deadline = Instant::now() + limits.negotiation.min(FOR_EVER);
        Attaching { connection, limits, deadline }
    }

    fn request(&self, command: Command, payload: &[u8]) -> Result<Answer> {
        let deadline = self.deadline.min(Instant::now() + self.connection.timeout());
        self.connection.request_until(deadline, command, &[payload], &[])
    }

    /// Negotiates a version. Returns the capabilities of the server, and the socket for its
    /// requests, if there is a separate one.
    pub(super) fn negotiate(&self) -> Result<(Capabilities, Option<UnixStream>)> {
        let proposed = Version { major: 0, minor: 0, capabilities: self.capabilities() };
        let answer = self.request(Command::Version, &proposed.encode());
        let mut answer = answer.map_err(|error| match error {
            Error::Refused { errno: protocol::Errno::EBUSY, .. } => Error::DeviceInUse,
            error => error,
        })?;
        let Version { major, minor, capabilities } = Version::decode(&answer.payload)?;
        if (major, minor) != (0, 0) {
            return Err(answer.malformed(ReplyError::Version { major, minor }));
        }
        if capabilities.max_data_xfer_size == 0 {
            return Err(answer.malformed(ReplyError::NoTransfer));
        }
        let twin = twin_socket_of(&capabilities, &mut answer)?;
        Ok((capabilities, twin))
    }

    fn capabilities(&self) -> Capabilities {
        let descriptors = self.limits.announced_descriptors();
        Capabilities {
            max_msg_fds: u32::try_from(descriptors).unwrap_or(u32::MAX),
            max_data_xfer_size: self.limits.message_data as u64,
            twin_socket: Some(TwinSocket { supported: true, fd_index: None }),
            migration: Some(MigrationCapability::default()),
            write_multiple: true,
            ..Capabilities::ours()
        }
    }

    pub(super) fn device_details(&self) -> Result<DeviceDetails> {
        let wanted = DeviceInfo { argsz: 16.into(), ..DeviceInfo::default() };
        let answer = self.request(Command::DeviceGetInfo, wanted.as_bytes())?;
        let info: &DeviceInfo = answer.fixed()?;
        let (regions, irqs) = (info.num_regions.get(), info.num_irqs.get());
        if regions > MAX_REGIONS || irqs > MAX_IRQS {
            let most = (MAX_REGIONS, MAX_IRQS);
            return Err(answer.malformed(ReplyError::Device { regions, irqs, most }));
        }
        let flags = DeviceFlags::from_bits_retain(info.flags.get());
        Ok(DeviceDetails { flags, regions, irqs })
    }
}

/// The maximum number of regions and interrupt indices that is plausible.
const MAX_REGIONS: u32 = 256;
const MAX_IRQS: u32 = 64;

fn twin_socket_of(server: &Capabilities, answer: &mut Answer) -> Result<Option<UnixStream>> {
    let Some(TwinSocket { supported: true, fd_index }) = server.twin_socket else {
        return Ok(None);
    };
    let (index, count) = (fd_index.and_then(|index| usize::try_from(index).ok()), answer.fds.len());
    let Some(index) = index.filter(|index| *index < count) else {
        let index = fd_index.map(u64::from);
        return Err(answer.malformed(ReplyError::NoDescriptor { index, count }));
    };
    let twin = answer.fds.take(index).and_then(|fd| fd.into_known(is_connected_stream));
    twin.map(|twin| Some(twin.into())).ok_or_else(|| answer.malformed(ReplyError::TwinSocket))
}

/// Returns whether a server's descriptor is a connected stream socket: a thread could wait for ever
/// on anything else.
fn is_connected_stream(fd: BorrowedFd<'_>) -> bool {
    let is_unix = getsockname::<SockaddrStorage>(fd.as_raw_fd())
        .is_ok_and(|name| name.family() == Some(AddressFamily::Unix));
    let is_stream = getsockopt(&fd, sockopt::SockType).is_ok_and(|kind| kind == SockType::Stream);
    let listens = getsockopt(&fd, sockopt::AcceptConn).unwrap_or(true);
    let is_connected = getpeername::<SockaddrStorage>(fd.as_raw_fd()).is_ok();
    is_unix && is_stream && !listens && is_connected
}
