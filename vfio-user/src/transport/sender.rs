//! From messages to bytes and descriptors.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use zerocopy::{Immutable, IntoBytes};

use crate::protocol::{Errno, HEADER_SIZE, Header};

/// Messages that wait to be sent together.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
}

impl Outbox {
    /// Replies of this size in all are sent before more is added. The kernel cuts a send into pieces
    /// of 36 KiB or so; some clients want a header in one piece.
    const ENOUGH: usize = 32 * 1024;

    /// Begins the reply to a request; nothing is kept of it unless it is finished.
    pub(crate) fn reply(&mut self, request: Header) -> Reply<'_> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER_SIZE]);
        Reply { outbox: self, start, request, fd: None }
    }

    /// Whether there is so much to send that it is time.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= Self::ENOUGH
    }

    /// Sends everything; see [`send_all`].
    ///
    /// # Errors
    ///
    /// Those of `sendmsg(2)`.
    pub(crate) fn flush(
        &mut self,
        socket: BorrowedFd<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let sent = send_all(socket, &self.bytes, &[], go_on);
        self.bytes.clear();
        sent
    }
}

/// A reply while it is made.
pub(crate) struct Reply<'a> {
    outbox: &'a mut Outbox,
    start: usize,
    request: Header,
    fd: Option<OwnedFd>,
}

impl Reply<'_> {
    /// Appends a structure to the payload.
    pub(crate) fn push(&mut self, value: &(impl IntoBytes + Immutable + ?Sized)) {
        self.outbox.bytes.extend_from_slice(value.as_bytes());
    }

    /// Appends `len` bytes of zeros to the payload, to be filled in.
    pub(crate) fn space(&mut self, len: usize) -> &mut [u8] {
        let at = self.outbox.bytes.len();
        self.outbox.bytes.resize(at + len, 0);
        &mut self.outbox.bytes[at..]
    }

    /// Sends a descriptor along.
    pub(crate) fn attach(&mut self, fd: OwnedFd) {
        self.fd = Some(fd);
    }

    /// Completes the reply, as an error if the request failed: then the header goes alone. To a
    /// request that wants no reply nothing is sent, whatever happened.
    ///
    /// # Errors
    ///
    /// Those of `sendmsg(2)`: a descriptor goes out at once, with its message alone.
    pub(crate) fn finish(
        self,
        result: Result<(), Errno>,
        socket: BorrowedFd<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let Reply { outbox, start, request, fd } = self;
        let bytes = &mut outbox.bytes;
        if request.no_reply() {
            bytes.truncate(start);
            return Ok(());
        }
        let header = match result {
            Ok(()) => request.reply(bytes.len() - start - HEADER_SIZE),
            Err(errno) => {
                bytes.truncate(start + HEADER_SIZE);
                request.error_reply(errno)
            }
        };
        bytes[start..start + HEADER_SIZE].copy_from_slice(header.as_bytes());
        let (Some(fd), Ok(())) = (fd, result) else { return Ok(()) };
        let sent = send_all(socket, &bytes[..start], &[], go_on)
            .and_then(|()| send_all(socket, &bytes[start..], &[fd.as_fd()], go_on));
        bytes.clear();
        sent
    }
}

/// Sends all of `bytes`, the descriptors with the first of them. A socket with a send timeout gives
/// up once `go_on` says so.
///
/// # Errors
///
/// Those of `sendmsg(2)`; never a SIGPIPE.
pub(crate) fn send_all(
    socket: BorrowedFd<'_>,
    mut bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    go_on: &dyn Fn() -> bool,
) -> io::Result<()> {
    let fds: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let mut rights = (!fds.is_empty()).then_some(ControlMessage::ScmRights(&fds));
    while !bytes.is_empty() {
        let sent = sendmsg::<()>(
            socket.as_raw_fd(),
            &[IoSlice::new(bytes)],
            rights.as_slice(),
            MsgFlags::MSG_NOSIGNAL,
            None,
        );
        match sent.map_err(io::Error::from) {
            Ok(sent) => {
                bytes = &bytes[sent..];
                rights = None;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && go_on() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
