//! A connection that sends any bytes and never waits longer than its patience.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg,
    sendmsg, socket_with,
};
use vfio_user::protocol::{Capabilities, Command, Errno, Version};

use super::check::{Stop, Verdict, ensure, fail};
use super::message::{self, HEADER, flag, u32_at};

/// The largest reply that is received.
const MOST: usize = 16 << 20;
/// Room for as many descriptors as Linux passes at once.
const ANCILLARY: usize = 2048;

pub(super) struct Connection {
    stream: UnixStream,
    patience: Duration,
    next_id: u16,
    /// The capabilities of the server, after negotiation.
    pub(super) server: Capabilities,
}

/// A received reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: u16,
    pub(super) command: u16,
    pub(super) flags: u32,
    pub(super) error: u32,
    pub(super) payload: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
}

/// What a refused request does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Error(u32),
    Closed,
}

impl Reply {
    /// Returns the error of the reply.
    pub(super) fn errno(&self) -> Option<u32> {
        (self.flags & flag::ERROR != 0).then_some(self.error)
    }

    /// Returns the reply, which has to be a success.
    pub(super) fn ok(self) -> Verdict<Self> {
        match self.errno() {
            Some(error) => fail(format!("{} fails with {}", name(self.command), errno(error))),
            None => Ok(self),
        }
    }
}

impl Connection {
    /// Connects to a server that may be busy.
    pub(super) fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let address = SocketAddrUnix::new(path)?;
        let deadline = Instant::now() + patience;
        while let Err(error) = connect(&socket, &address) {
            let is_busy = error == rustix::io::Errno::AGAIN || error == rustix::io::Errno::INTR;
            if !is_busy || Instant::now() > deadline {
                return Err(error.into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Connection { stream, patience, next_id: 0x100, server: Capabilities::default() })
    }

    /// Negotiates as QEMU does.
    pub(super) fn negotiate(&mut self) -> Verdict {
        let proposal = message::version(0, PROPOSAL);
        let reply = self.succeeds(Command::Version, &proposal, &[])?;
        let version = Version::decode(&reply.payload);
        let version = version.map_err(|error| Stop::Failed(format!("VERSION: {error}")))?;
        self.server = version.capabilities;
        Ok(())
    }

    /// Returns a new message id.
    pub(super) fn id(&mut self) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    /// Sends bytes, and the descriptors with the first of them.
    pub(super) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Verdict {
        self.try_send(bytes, fds).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => Stop::Failed("the server does not receive".into()),
            _ => Stop::Failed(format!("the server has closed the connection: {error}")),
        })
    }

    /// Sends bytes to a server that may close the connection.
    pub(super) fn try_send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = vec![MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::from(ErrorKind::InvalidInput));
        }
        let data = [IoSlice::new(bytes)];
        let sent = sendmsg(&self.stream, &data, &mut ancillary, SendFlags::NOSIGNAL)?;
        // `write` does not raise SIGPIPE in a Rust program.
        (&self.stream).write_all(&bytes[sent..])
    }

    /// Receives a reply; `None` if the server has closed the connection. Refuses commands of the
    /// server on the way.
    pub(super) fn receive(&self) -> Verdict<Option<Reply>> {
        let deadline = Instant::now() + self.patience;
        while let Some(reply) = self.receive_message(deadline)? {
            if reply.flags & flag::TYPE == flag::REPLY {
                return Ok(Some(reply));
            }
            ensure(reply.flags & flag::TYPE == 0, || {
                format!("the server sends a message of type {}", reply.flags & flag::TYPE)
            })?;
            if reply.flags & flag::NO_REPLY == 0 {
                self.send(&refusal(&reply), &[])?;
            }
        }
        Ok(None)
    }

    fn receive_message(&self, deadline: Instant) -> Verdict<Option<Reply>> {
        let (mut header, mut fds) = ([0; HEADER], Vec::new());
        if !self.fill(&mut header, &mut fds, deadline)? {
            return Ok(None);
        }
        let [size, flags, error] = [u32_at(&header, 4)?, u32_at(&header, 8)?, u32_at(&header, 12)?];
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let len = (size as usize).checked_sub(HEADER).filter(|len| *len <= MOST);
        let Some(len) = len else { return fail(format!("the server sends a size of {size}")) };
        let mut payload = vec![0; len];
        if len > 0 && !self.fill(&mut payload, &mut fds, deadline)? {
            return fail("the server closes the connection in the middle of a message");
        }
        Ok(Some(Reply { id: half(0), command: half(2), flags, error, payload, fds }))
    }

    /// Receives as many bytes as asked for. Returns whether there are any.
    fn fill(&self, bytes: &mut [u8], fds: &mut Vec<OwnedFd>, deadline: Instant) -> Verdict<bool> {
        let mut got = 0;
        while got < bytes.len() {
            match self.receive_part(&mut bytes[got..], fds, deadline) {
                Ok(0) if got == 0 => return Ok(false),
                Ok(0) => return fail("the server closes the connection in a message"),
                Ok(more) => got += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return fail(format!("no answer within {:?}", self.patience));
                }
                Err(error) => return fail(format!("receiving fails: {error}")),
            }
        }
        Ok(true)
    }

    fn receive_part(
        &self,
        bytes: &mut [u8],
        fds: &mut Vec<OwnedFd>,
        deadline: Instant,
    ) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut space = vec![MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut data = [IoSliceMut::new(bytes)];
        let received = recvmsg(&self.stream, &mut data, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        Ok(received.bytes)
    }

    /// Sends a request and receives its reply.
    pub(super) fn call(
        &mut self,
        command: impl Into<u16>,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Verdict<Reply> {
        let (id, command) = (self.id(), command.into());
        self.send(&message::message(id, command, 0, payload), fds)?;
        self.answer(id, command)
    }

    /// Receives the reply to a request.
    pub(super) fn answer(&self, id: u16, command: u16) -> Verdict<Reply> {
        let Some(reply) = self.receive()? else {
            return fail(format!("the server closes the connection at {}", name(command)));
        };
        ensure((reply.id, reply.command) == (id, command), || {
            let (of, answered) = (name(reply.command), name(command));
            let other = reply.id;
            format!("a reply to {of} has id {other:#x}, expected one to {answered} with id {id:#x}")
        })?;
        Ok(reply)
    }

    /// Sends a request that has to succeed.
    pub(super) fn succeeds(
        &mut self,
        command: impl Into<u16>,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Verdict<Reply> {
        self.call(command, payload, fds)?.ok()
    }

    /// Sends a request that has to fail, and after which the next one is understood. Returns the
    /// error.
    pub(super) fn refuses(
        &mut self,
        what: &str,
        command: impl Into<u16>,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Verdict<u32> {
        let command = command.into();
        let reply = self.call(command, payload, fds).map_err(|stop| during(what, stop))?;
        let Some(error) = reply.errno() else {
            return fail(format!("{what}: {} succeeds, expected an error", name(command)));
        };
        self.alive().map_err(|stop| during(&format!("after {what}"), stop))?;
        Ok(error)
    }

    /// Sends a request that has to fail or to end the connection.
    pub(super) fn refuses_or_closes(
        &mut self,
        what: &str,
        command: impl Into<u16>,
        payload: &[u8],
    ) -> Verdict<Refusal> {
        let command = command.into();
        let request = message::message(self.id(), command, 0, payload);
        self.send(&request, &[])?;
        self.refused(what, command)
    }

    /// Receives an error or the end of the connection.
    pub(super) fn refused(&self, what: &str, command: u16) -> Verdict<Refusal> {
        match self.receive().map_err(|stop| during(what, stop))? {
            None => Ok(Refusal::Closed),
            Some(reply) => match reply.errno() {
                Some(error) => Ok(Refusal::Error(error)),
                None => fail(format!("{what}: {} succeeds, expected an error", name(command))),
            },
        }
    }

    /// Checks that the server answers, and the messages before this one have been taken whole.
    pub(super) fn alive(&mut self) -> Verdict {
        self.succeeds(Command::DeviceGetInfo, &message::words(&[16, 0, 0, 0]), &[]).map(drop)
    }
}

/// What QEMU proposes.
const PROPOSAL: &str = "{\"capabilities\":{\"pgsizes\":4096,\"max_msg_fds\":16,\
    \"max_dma_maps\":65535,\"max_data_xfer_size\":1048576,\
    \"migration\":{\"max_bitmap_size\":268435456,\"pgsize\":4096},\"write_multiple\":true}}";

/// Returns the reply that refuses a command of the server.
fn refusal(command: &Reply) -> Vec<u8> {
    let size = u32::try_from(HEADER).unwrap_or(0);
    let flags = flag::REPLY | flag::ERROR;
    let start = [command.id.to_le_bytes(), command.command.to_le_bytes()].concat();
    [start, message::words(&[size, flags, Errno::EINVAL.get()])].concat()
}

fn during(what: &str, stop: Stop) -> Stop {
    match stop {
        Stop::Failed(reason) => Stop::Failed(format!("{what}: {reason}")),
        skipped @ Stop::Skipped(_) => skipped,
    }
}

/// Returns the name of a command.
pub(super) fn name(command: u16) -> String {
    Command::try_from(command)
        .map_or_else(|_| format!("command {command}"), |command| command.to_string())
}

/// Returns the name of an error.
pub(super) fn errno(number: u32) -> String {
    nix::errno::Errno::from_raw(number.cast_signed()).to_string()
}
