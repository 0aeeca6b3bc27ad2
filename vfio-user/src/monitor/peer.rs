//! A connection to a monitor: one line in, one line out.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

/// The longest request.
pub(super) const LONGEST: usize = 4096;
/// The time after which a connection that does nothing is closed.
const IDLE: Duration = Duration::from_secs(60);

/// What a peer wants after a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for more bytes, or for room.
    Wait,
    /// It has sent a request.
    Request(Vec<u8>),
    /// It has sent a line that is too long.
    TooLong,
    /// The connection is over.
    Close,
}

/// A connection. It holds one unfinished request, or one unfinished reply.
#[derive(Debug)]
pub(super) struct Peer {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// The bytes of the reply that have been sent.
    sent: usize,
    /// Whether it is closed after the reply.
    is_last: bool,
    /// Its last request, or the end of the last reply.
    active: Instant,
}

impl Peer {
    pub(super) fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Peer {
            stream,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            is_last: false,
            active: Instant::now(),
        })
    }

    /// Returns the event to wait for: no request is read before the last reply is sent.
    pub(super) fn wants(&self) -> PollFlags {
        if self.outgoing.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLOUT }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.active.elapsed() > IDLE
    }

    /// Returns whether it has a request to take without waiting.
    pub(super) fn has_request(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.contains(&b'\n')
    }

    /// Sends and receives what is possible without waiting.
    pub(super) fn turn(&mut self) -> Next {
        if !self.send() {
            return Next::Close;
        }
        if !self.outgoing.is_empty() {
            return Next::Wait;
        }
        if !self.has_request() && !self.receive() {
            return Next::Close;
        }
        self.take_request()
    }

    /// Queues the reply to its request.
    pub(super) fn reply(&mut self, line: Vec<u8>, is_last: bool) {
        (self.outgoing, self.sent, self.is_last) = (line, 0, is_last);
    }

    /// Sends what is possible without waiting. Returns whether the connection continues.
    pub(super) fn send(&mut self) -> bool {
        while self.sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.sent..]) {
                Ok(0) => return false,
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if !self.outgoing.is_empty() {
            self.active = Instant::now();
            self.outgoing = Vec::new();
            return !self.is_last;
        }
        true
    }

    /// Receives bytes, up to a request. Returns whether the connection continues.
    fn receive(&mut self) -> bool {
        let mut bytes = [0; LONGEST];
        let room = (LONGEST + 1).saturating_sub(self.incoming.len()).min(LONGEST);
        match self.stream.read(&mut bytes[..room]) {
            Ok(0) => false,
            Ok(count) => {
                self.incoming.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn take_request(&mut self) -> Next {
        match self.incoming.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let rest = self.incoming.split_off(end + 1);
                self.active = Instant::now();
                Next::Request(std::mem::replace(&mut self.incoming, rest))
            }
            None if self.incoming.len() > LONGEST => {
                self.incoming = Vec::new();
                Next::TooLong
            }
            None => Next::Wait,
        }
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Peer, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Peer::new(ours).unwrap(), theirs)
    }

    #[test]
    fn lines_are_taken_one_by_one_and_after_the_reply() {
        let (mut peer, mut theirs) = pair();
        assert_eq!(peer.turn(), Next::Wait);
        theirs.write_all(b"one\ntw").unwrap();
        assert_eq!(peer.turn(), Next::Request(b"one\n".to_vec()));
        peer.reply(b"1\n".to_vec(), false);
        theirs.write_all(b"o\nthree\n").unwrap();
        assert_eq!(peer.turn(), Next::Request(b"two\n".to_vec()));
        assert!(peer.has_request());
        assert_eq!(peer.turn(), Next::Request(b"three\n".to_vec()));
        drop(theirs);
        assert_eq!(peer.turn(), Next::Close);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let (mut peer, mut theirs) = pair();
        theirs.write_all(&[b'x'; 2 * LONGEST]).unwrap();
        assert_eq!(peer.turn(), Next::Wait);
        assert_eq!(peer.turn(), Next::TooLong);
        peer.reply(b"no\n".to_vec(), true);
        assert_eq!(peer.turn(), Next::Close);
    }

    #[test]
    fn a_peer_that_reads_nothing_is_asked_nothing() {
        let (mut peer, mut theirs) = pair();
        theirs.write_all(b"one\n").unwrap();
        assert_eq!(peer.turn(), Next::Request(b"one\n".to_vec()));
        peer.reply(vec![b'x'; 8 << 20], false);
        theirs.write_all(b"two\n").unwrap();
        for _ in 0..3 {
            assert_eq!(peer.turn(), Next::Wait);
            assert_eq!(peer.wants(), PollFlags::POLLOUT);
        }
    }
}
