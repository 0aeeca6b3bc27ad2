//! One direction of a connection.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::tap::Tap;
use crate::descriptor::Descriptor;
use crate::framer::{End, Framer, Piece};
use crate::log::{MAX_DESCRIPTORS, Route};
use crate::socket::{self, Received};

/// The bytes of one receive: more than a socket holds by default.
const RECEIVE: usize = 256 << 10;
/// Room for the rest of a message that a full receive has cut.
const RESERVE: usize = 64 << 10;

/// Forwards what one end sends to the other, until one of them closes. Holds no more than one
/// receive: while `to` does not read, nothing is read of `from`.
///
/// Every message is sent by a call of its own, as its sender did: clients read headers that they
/// expect in one piece, and the descriptors of a message arrive with the first bytes of a send.
pub(super) struct Pipe<'a> {
    route: Route,
    from: &'a UnixStream,
    to: &'a UnixStream,
    tap: &'a Tap,
    framer: Framer,
    /// The bytes of the message that is arriving, and its descriptors.
    message: Vec<u8>,
    descriptors: Vec<Descriptor>,
    /// Whether no message is complete yet.
    is_first: bool,
}

/// The reason why nothing more is forwarded.
enum Stop {
    /// `from` has closed its end.
    End,
    /// `to` has closed its end.
    Gone,
}

impl<'a> Pipe<'a> {
    pub(super) fn new(
        route: Route,
        from: &'a UnixStream,
        to: &'a UnixStream,
        tap: &'a Tap,
    ) -> Self {
        let (framer, message, descriptors) = Default::default();
        Pipe { route, from, to, tap, framer, message, descriptors, is_first: true }
    }

    /// Forwards until the end. `replace` may exchange descriptors of the first message.
    pub(super) fn run(mut self, mut replace: impl FnMut(&mut Vec<OwnedFd>) -> io::Result<()>) {
        let mut buffer = vec![0; RECEIVE + RESERVE];
        let stop = loop {
            match self.step(&mut buffer, &mut replace) {
                Ok(None) => {}
                Ok(Some(stop)) => break stop,
                Err(error) => {
                    self.tap.failed(self.route, &error);
                    break Stop::End;
                }
            }
        };
        if !self.message.is_empty() {
            self.tap.unframed(self.route, &self.message);
        }
        match stop {
            Stop::End => self.pass_end(),
            // An error means that it has closed as well.
            Stop::Gone => drop(self.from.shutdown(Shutdown::Both)),
        }
    }

    /// Forwards what one receive has.
    fn step(
        &mut self,
        buffer: &mut [u8],
        replace: &mut impl FnMut(&mut Vec<OwnedFd>) -> io::Result<()>,
    ) -> io::Result<Option<Stop>> {
        let received = match socket::receive(self.from, &mut buffer[..RECEIVE], true) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok(Some(Stop::End));
            }
            received => received?,
        };
        if received.bytes == 0 {
            return Ok(Some(Stop::End));
        }
        let mut pieces = Vec::new();
        self.framer.cut(&buffer[..received.bytes], 0, &mut pieces);
        let mut received = self.complete(buffer, received, &mut pieces);
        if received.are_fds_lost {
            return Err(io::Error::other("this process may open no more descriptors"));
        }
        if self.is_first {
            replace(&mut received.fds)?;
        }
        self.forward(buffer, &pieces, received.fds)
    }

    /// Receives the rest of the last message, where the receive was full.
    fn complete(
        &mut self,
        buffer: &mut [u8],
        mut received: Received,
        pieces: &mut Vec<Piece>,
    ) -> Received {
        let mut end = received.bytes;
        while end >= RECEIVE && (1..=buffer.len() - end).contains(&self.framer.missing()) {
            let rest = &mut buffer[end..][..self.framer.missing()];
            let more = match socket::receive(self.from, rest, false) {
                Ok(more) if more.bytes > 0 => more,
                // What has arrived is forwarded; the next receive returns the error again.
                _ => break,
            };
            self.framer.cut(&rest[..more.bytes], end, pieces);
            received.fds.extend(more.fds);
            received.are_fds_lost |= more.are_fds_lost;
            end += more.bytes;
        }
        received
    }

    /// Sends pieces. Linux ends a receive after the bytes that carried descriptors, so that these
    /// belong to the last message that starts within it.
    fn forward(
        &mut self,
        buffer: &[u8],
        pieces: &[Piece],
        mut fds: Vec<OwnedFd>,
    ) -> io::Result<Option<Stop>> {
        let owner = pieces.iter().rposition(|piece| piece.starts).unwrap_or(0);
        for (at, piece) in pieces.iter().enumerate() {
            let bytes = &buffer[piece.bytes.clone()];
            let fds = if at == owner { mem::take(&mut fds) } else { Vec::new() };
            self.show(bytes, piece.end, &fds);
            match socket::send(self.to, bytes, &fds) {
                Err(error) if is_gone(&error) => return Ok(Some(Stop::Gone)),
                sent => sent?,
            }
        }
        Ok(None)
    }

    /// Shows the message that these bytes complete. That happens before they are sent, so that no
    /// reply is shown before its request.
    fn show(&mut self, bytes: &[u8], end: End, fds: &[OwnedFd]) {
        // A message in parts may have any number of them.
        let room = MAX_DESCRIPTORS - self.descriptors.len();
        self.descriptors.extend(fds.iter().take(room).map(Descriptor::of));
        self.message.extend(bytes);
        match end {
            End::Partial => return,
            End::Whole => self.tap.message(self.route, &self.message, &self.descriptors),
            End::Broken(size) => self.tap.broken(self.route, &self.message, size),
            End::Unframed => self.tap.unframed(self.route, &self.message),
        }
        self.is_first = false;
        self.message.clear();
        self.descriptors.clear();
    }

    /// Closes as much of `to` as was closed of `from`.
    fn pass_end(&self) {
        self.tap.end(self.route);
        let mut fds = [PollFd::new(self.from.as_fd(), PollFlags::empty())];
        let polled = poll(&mut fds, PollTimeout::ZERO);
        let is_closed = polled.is_err() || fds[0].revents() != Some(PollFlags::empty());
        let which = if is_closed { Shutdown::Both } else { Shutdown::Write };
        // An error means that it has closed as well.
        drop(self.to.shutdown(which));
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}
