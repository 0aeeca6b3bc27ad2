//! Encoding and sending of messages and descriptors.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, send as send_bytes, sendmsg};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::protocol::{Errno, HEADER_SIZE, Header};
use crate::sys;

/// The interval at which delayed descriptors are tried again.
const RETRY: Duration = Duration::from_millis(5);
/// The time limit for the kernel to accept descriptors: it refuses them while other processes of
/// the user leave too many unread.
const TOO_LONG: Duration = Duration::from_secs(1);

/// Messages that wait to be sent together, including those that the socket has accepted in part.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// The number of bytes that are sent.
    sent: usize,
    attached: VecDeque<Attachment>,
    /// Whether descriptors were sent that the other end may not have received.
    has_sent_fds: bool,
    /// Set while descriptors are delayed.
    held: Option<Held>,
}

/// Descriptors that cannot be sent yet.
#[derive(Clone, Copy)]
struct Held {
    retry: Instant,
    /// The time since which the kernel refuses descriptors. Waiting for the other end to read
    /// earlier ones is a different delay, without a limit.
    refused: Option<Instant>,
}

/// The descriptors of one message, which is `bytes[start..end]`; they are sent with it alone.
struct Attachment {
    start: usize,
    end: usize,
    fds: Vec<OwnedFd>,
}

impl Outbox {
    /// Messages of this total size are sent before more are added. The kernel splits a send into
    /// pieces of about 36 KiB; some clients require a header in one piece.
    const ENOUGH: usize = 32 * 1024;

    /// Begins the reply to a request; it is discarded unless it is finished.
    pub(crate) fn reply(&mut self, request: Header) -> Reply<'_> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER_SIZE]);
        Reply { outbox: self, start, request, fds: Vec::new() }
    }

    /// Adds a command, whose payload consists of `parts`.
    pub(crate) fn command(&mut self, header: &Header, parts: &[&[u8]]) {
        self.bytes.extend_from_slice(header.as_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Returns whether nothing is left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns whether all must be sent before a message is added.
    pub(crate) fn is_full(&self) -> bool {
        self.sent > 0 || self.bytes.len() >= Self::ENOUGH
    }

    /// Returns the number of bytes sent, to detect progress.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// Returns the time of the next flush: descriptors wait until the other end has received
    /// earlier ones, which causes no event.
    pub(crate) fn retry(&self) -> Option<Instant> {
        self.held.map(|held| held.retry)
    }

    /// Delays descriptors until the other end has received earlier ones.
    fn hold_until_received(&mut self, now: Instant) {
        self.held = Some(Held { retry: now + RETRY, refused: None });
    }

    /// Delays descriptors because the kernel refuses them. Returns whether to wait any longer.
    fn hold_until_taken(&mut self, now: Instant) -> bool {
        let refused = self.held.and_then(|held| held.refused).unwrap_or(now);
        let waits = now.duration_since(refused) < TOO_LONG;
        self.held = waits.then_some(Held { retry: now + RETRY, refused: Some(refused) });
        waits
    }

    /// Returns whether descriptors may be sent: the kernel counts unreceived ones of all processes
    /// of the user, and refuses more once there are too many.
    fn may_send_fds(&self, socket: BorrowedFd<'_>) -> bool {
        // A socket that does not report its queue fails at the send.
        !self.has_sent_fds || sys::unread(socket).unwrap_or(0) == 0
    }

    /// Turns the reply that is sent next into an error.
    fn refuse_next(&mut self, errno: Errno) {
        let Some(Attachment { start, end, .. }) = self.attached.pop_front() else { return };
        let Ok((reply, _)) = Header::read_from_prefix(&self.bytes[start..end]) else { return };
        self.bytes.drain(start + HEADER_SIZE..end);
        let error = reply.error_reply(errno);
        self.bytes[start..start + HEADER_SIZE].copy_from_slice(error.as_bytes());
        let less = end - start - HEADER_SIZE;
        for later in &mut self.attached {
            (later.start, later.end) = (later.start - less, later.end - less);
        }
    }

    /// Sends the bytes that the socket accepts, without waiting. Returns whether all were sent.
    ///
    /// # Errors
    ///
    /// Those of `send(2)`; never raises SIGPIPE.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        while self.sent < self.bytes.len() {
            let next = self.attached.front();
            let has_fds = next.is_some_and(|next| next.start == self.sent);
            if has_fds && !self.may_send_fds(socket) {
                self.hold_until_received(Instant::now());
                return Ok(false);
            }
            let (end, fds) = match self.attached.front() {
                Some(next) if has_fds => (next.end, next.fds.iter().map(AsFd::as_fd).collect()),
                Some(next) => (next.start, Vec::new()),
                None => (self.bytes.len(), Vec::new()),
            };
            let bytes = &self.bytes[self.sent..end];
            match send(socket, bytes, &fds, MsgFlags::MSG_DONTWAIT) {
                Ok(sent) => {
                    // They were sent with the first byte.
                    if has_fds {
                        self.attached.pop_front();
                        self.has_sent_fds = true;
                        self.held = None;
                    }
                    self.sent += sent;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                    // Other processes leave theirs unread.
                    if self.hold_until_taken(Instant::now()) {
                        return Ok(false);
                    }
                    self.refuse_next(Errno::EMFILE);
                }
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Takes a shared buffer, if there is nothing to send.
    pub(crate) fn borrow_buffer(&mut self, spare: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            std::mem::swap(&mut self.bytes, spare);
        }
    }

    /// Returns the shared buffer, unless there is something to send.
    pub(crate) fn return_buffer(&mut self, spare: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            *spare = std::mem::take(&mut self.bytes);
        }
    }
}

/// A reply that is being built.
pub(crate) struct Reply<'a> {
    outbox: &'a mut Outbox,
    start: usize,
    request: Header,
    fds: Vec<OwnedFd>,
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

    /// Replaces the structure that the payload begins with.
    pub(crate) fn amend(&mut self, value: &(impl IntoBytes + Immutable)) {
        let payload = &mut self.outbox.bytes[self.start + HEADER_SIZE..];
        payload[..size_of_val(value)].copy_from_slice(value.as_bytes());
    }

    /// Attaches a descriptor, after those before it.
    pub(crate) fn attach(&mut self, fd: OwnedFd) {
        self.fds.push(fd);
    }

    /// Discards the reply.
    pub(crate) fn withdraw(self) {
        self.outbox.bytes.truncate(self.start);
    }

    /// Completes the reply. If the request failed, the reply is an error, and consists of the
    /// header alone. A request without a reply gets none, whatever the result.
    pub(crate) fn finish(self, result: Result<(), Errno>) {
        let Reply { outbox, start, request, fds } = self;
        let bytes = &mut outbox.bytes;
        if request.no_reply() {
            bytes.truncate(start);
            return;
        }
        let header = match result {
            Ok(()) => request.reply(bytes.len() - start - HEADER_SIZE),
            Err(errno) => {
                bytes.truncate(start + HEADER_SIZE);
                request.error_reply(errno)
            }
        };
        bytes[start..start + HEADER_SIZE].copy_from_slice(header.as_bytes());
        if !fds.is_empty() && result.is_ok() {
            outbox.attached.push_back(Attachment { start, end: bytes.len(), fds });
        }
    }
}

/// Sends all of `bytes`, the descriptors with the first of them. On a socket with a send timeout,
/// it gives up when `go_on` returns `false`.
///
/// # Errors
///
/// Those of `send(2)`; never raises SIGPIPE.
pub(crate) fn send_all(
    socket: BorrowedFd<'_>,
    mut bytes: &[u8],
    mut fds: &[BorrowedFd<'_>],
    go_on: &dyn Fn() -> bool,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, fds, MsgFlags::empty()) {
            Ok(sent) => {
                bytes = &bytes[sent..];
                fds = &[];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && go_on() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends some of `bytes`, the descriptors with the first of them.
fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: MsgFlags,
) -> io::Result<usize> {
    let flags = flags | MsgFlags::MSG_NOSIGNAL;
    if fds.is_empty() {
        return Ok(send_bytes(socket.as_raw_fd(), bytes, flags)?);
    }
    let fds: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let bytes = [IoSlice::new(bytes)];
    let rights = [ControlMessage::ScmRights(&fds)];
    Ok(sendmsg::<()>(socket.as_raw_fd(), &bytes, &rights, flags, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_its_time_to_take_descriptors_after_a_wait_for_the_client() {
        let mut outbox = Outbox::default();
        let start = Instant::now();
        outbox.hold_until_received(start);
        let later = start + 10 * TOO_LONG;
        assert!(outbox.hold_until_taken(later), "it is the first refusal");
        assert!(outbox.hold_until_taken(later + TOO_LONG / 2));
        assert_eq!(outbox.retry(), Some(later + TOO_LONG / 2 + RETRY));
        assert!(!outbox.hold_until_taken(later + TOO_LONG));
        assert_eq!(outbox.retry(), None);
    }
}
