//! Messages that arrive from a server.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::framer::{End, Framer};
use crate::message::{self, Decoded};
use crate::socket;

/// The memory of messages that have arrived and wait to be compared, in bytes: a server may send
/// any number of them.
const MOST: usize = 64 << 20;

/// A message that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) message: Decoded,
    pub(super) fds: Vec<OwnedFd>,
    /// Whether it had arrived at the time of [`Stream::mark`].
    pub(super) is_marked: bool,
    memory: usize,
}

/// One socket, and what has arrived from it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: UnixStream,
    framer: Framer,
    message: Vec<u8>,
    fds: Vec<OwnedFd>,
    arrived: VecDeque<Arrived>,
    /// The memory of `arrived`.
    memory: usize,
    pub(super) is_closed: bool,
    pub(super) is_broken: bool,
}

impl Stream {
    pub(super) fn new(socket: UnixStream) -> Self {
        Stream {
            socket,
            framer: Framer::default(),
            message: Vec::new(),
            fds: Vec::new(),
            arrived: VecDeque::new(),
            memory: 0,
            is_closed: false,
            is_broken: false,
        }
    }

    /// Whether more may arrive.
    pub(super) fn is_open(&self) -> bool {
        !self.is_closed && !self.is_broken
    }

    /// Receives once what is there.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let received = match socket::receive(&self.socket, buffer, false) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.is_closed = true;
                return Ok(());
            }
            received => received?,
        };
        self.is_closed = received.bytes == 0;
        let mut pieces = Vec::new();
        self.framer.cut(&buffer[..received.bytes], 0, &mut pieces);
        let owner = pieces.iter().rposition(|piece| piece.starts).unwrap_or(0);
        let mut fds = received.fds;
        for (at, piece) in pieces.iter().enumerate() {
            self.message.extend(&buffer[piece.bytes.clone()]);
            if at == owner {
                self.fds.append(&mut fds);
            }
            match piece.end {
                End::Partial => {}
                End::Whole => self.arrive()?,
                End::Broken(_) | End::Unframed => self.is_broken = true,
            }
        }
        Ok(())
    }

    fn arrive(&mut self) -> io::Result<()> {
        let memory = self.message.len() + size_of::<Arrived>();
        self.memory += memory;
        if self.memory > MOST {
            return Err(io::Error::other("it sends more messages than the log has"));
        }
        let message = message::decode(&mem::take(&mut self.message));
        let fds = mem::take(&mut self.fds);
        self.arrived.push_back(Arrived { message, fds, is_marked: false, memory });
        Ok(())
    }

    /// Takes the first message that has arrived and is as wanted.
    pub(super) fn take(&mut self, is_wanted: impl Fn(&Arrived) -> bool) -> Option<Arrived> {
        let at = self.arrived.iter().position(is_wanted)?;
        let arrived = self.arrived.remove(at)?;
        self.memory -= arrived.memory;
        Some(arrived)
    }

    /// Marks what has arrived.
    pub(super) fn mark(&mut self) {
        self.arrived.iter_mut().for_each(|arrived| arrived.is_marked = true);
    }
}
