//! Decoding of messages and descriptors from a stream.

mod unhandled;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use zerocopy::FromBytes;

use super::FramingError;
pub(crate) use unhandled::Unhandled;

use crate::fds::{CloseQueue, PeerFds};
use crate::protocol::{DRAIN_LIMIT, HEADER_SIZE, Header};
use crate::sys::{self, MAX_FDS, Received};

/// Cuts a stream into messages.
///
/// Each receive takes all available bytes, so that pipelined messages share a system call. Linux
/// ends a receive after the bytes that carried descriptors, and every peer sends a message with
/// descriptors in a send of its own. So the descriptors of a receive belong to the last message
/// that starts within its bytes or, if none does, to the one that is still arriving.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// Messages up to this size are accepted, larger ones skipped.
    limit: usize,
    /// Empty until it is needed.
    buffer: Vec<u8>,
    /// Bytes that were received and not returned yet: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// The number of bytes of a skipped message that are still to arrive.
    skip: usize,
    /// The position of `start` in the stream.
    position: u64,
    /// Descriptors, by the position of their message.
    fds: VecDeque<(u64, Descriptors)>,
    /// The queue on which the descriptors are closed.
    close_queue: CloseQueue,
}

/// The descriptors of a message.
#[derive(Debug, Default)]
struct Descriptors {
    fds: PeerFds,
    /// Whether the kernel could not install all of them, because the process may open no more.
    are_lost: bool,
}

/// A complete message.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
    pub(crate) fds: PeerFds,
    /// Whether descriptors are missing, because this process may open no more.
    pub(crate) fds_are_lost: bool,
}

/// A message that has arrived.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Message(Message<'a>),
    /// Larger than the limit; its payload is skipped.
    TooLarge(Header),
}

impl Incoming<'_> {
    pub(crate) fn header(&self) -> Header {
        match self {
            Incoming::Message(Message { header, .. }) | Incoming::TooLarge(header) => *header,
        }
    }
}

impl Receiver {
    /// Room for many small messages in one receive.
    const BUFFER: usize = 64 * 1024;

    /// Descriptors that it receives are closed on this queue.
    pub(crate) fn new(limit: usize, close_queue: &CloseQueue) -> Self {
        Receiver {
            limit,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            skip: 0,
            position: 0,
            fds: VecDeque::new(),
            close_queue: close_queue.clone(),
        }
    }

    /// Returns the queue on which descriptors are closed.
    pub(crate) fn close_queue(&self) -> &CloseQueue {
        &self.close_queue
    }

    /// Takes a shared buffer, if there is none.
    pub(crate) fn borrow_buffer(&mut self, spare: &mut Vec<u8>) {
        if self.buffer.is_empty() {
            std::mem::swap(&mut self.buffer, spare);
        }
    }

    /// Returns the shared buffer, unless it holds data.
    pub(crate) fn return_buffer(&mut self, spare: &mut Vec<u8>) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            *spare = std::mem::take(&mut self.buffer);
        }
    }

    /// Receives once. `Ok(0)` means that the peer has disconnected.
    ///
    /// # Errors
    ///
    /// Those of `recvmsg(2)`: `WouldBlock` if `nonblocking` and no data is available, `Interrupted`
    /// if a signal has ended the wait. Also fails if too many descriptors of the peer wait to be
    /// closed.
    pub(crate) fn fill(&mut self, socket: BorrowedFd<'_>, nonblocking: bool) -> io::Result<usize> {
        self.close_queue.check()?;
        self.make_room();
        let mut fds = Vec::new();
        let Received { bytes, truncated } =
            sys::receive(socket, &mut self.buffer[self.end..], &mut fds, nonblocking)?;
        self.end += bytes;
        if truncated || !fds.is_empty() {
            let fds = PeerFds::new(fds, &self.close_queue);
            self.assign(Descriptors { fds, are_lost: truncated });
        }
        Ok(bytes)
    }

    /// Returns whether [`next`](Self::next) has a message or an error.
    pub(crate) fn has_message(&self) -> bool {
        let at = self.start + self.skip;
        let is_complete = |header| match check(&header) {
            Ok(size) => size > self.limit || at + size <= self.end,
            Err(_) => true,
        };
        self.header_at(at).is_some_and(is_complete)
    }

    /// Returns the next complete message.
    ///
    /// # Errors
    ///
    /// An error if the stream is broken; it stays broken.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming<'_>>, FramingError> {
        self.consume(self.skip.min(self.end - self.start));
        let Some(header) = self.header_at(self.start) else { return Ok(None) };
        let size = check(&header)?;
        if size > self.limit {
            self.take_fds();
            self.consume(HEADER_SIZE);
            self.skip = size - HEADER_SIZE;
            return Ok(Some(Incoming::TooLarge(header)));
        }
        if self.end - self.start < size {
            return Ok(None);
        }
        let fds = self.take_fds();
        let start = self.start;
        self.consume(size);
        let payload = &self.buffer[start + HEADER_SIZE..start + size];
        let Descriptors { fds, are_lost: fds_are_lost } = fds;
        Ok(Some(Incoming::Message(Message { header, payload, fds, fds_are_lost })))
    }

    /// Returns the next header, if it claims that its message is smaller.
    pub(crate) fn too_small(&self) -> Option<Header> {
        self.header_at(self.start + self.skip).filter(|header| header.total_size() < HEADER_SIZE)
    }

    /// Drops the next header and its descriptors.
    pub(crate) fn drop_header(&mut self) {
        self.consume(self.skip.min(self.end - self.start));
        self.take_fds();
        self.consume(HEADER_SIZE.min(self.end - self.start));
    }

    fn header_at(&self, at: usize) -> Option<Header> {
        Header::read_from_prefix(self.buffer.get(at..self.end)?).ok().map(|(header, _)| header)
    }

    /// Makes room for the rest of the message that is arriving.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.is_empty() {
            self.buffer.resize(Self::BUFFER, 0);
        }
        let wanted = self.header_at(0).map_or(HEADER_SIZE, |header| header.total_size());
        if wanted <= self.limit && wanted > self.buffer.len() {
            self.buffer.resize(wanted, 0);
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.position += bytes as u64;
        self.skip = self.skip.saturating_sub(bytes);
    }

    /// Assigns descriptors that just arrived to the last message that has started; closes those of
    /// a message that is being skipped.
    fn assign(&mut self, new: Descriptors) {
        let mut at = self.start + self.skip;
        if at >= self.end {
            return;
        }
        while let Some(size) = self.header_at(at).and_then(|header| check(&header).ok())
            && at + size < self.end
        {
            at += size;
        }
        let position = self.position + (at - self.start) as u64;
        match self.fds.back_mut() {
            Some((last, earlier)) if *last == position => {
                // A valid message has no more than one send can carry.
                earlier.fds.extend_to(MAX_FDS, new.fds);
                earlier.are_lost |= new.are_lost;
            }
            _ => self.fds.push_back((position, new)),
        }
    }

    /// Takes the descriptors of the message at `start`.
    fn take_fds(&mut self) -> Descriptors {
        match self.fds.front() {
            Some((position, _)) if *position == self.position => {
                self.fds.pop_front().map(|(_, fds)| fds).unwrap_or_default()
            }
            _ => Descriptors::default(),
        }
    }
}

/// Returns the size of a message, if its header is valid.
fn check(header: &Header) -> Result<usize, FramingError> {
    let size = header.total_size();
    if size < HEADER_SIZE {
        return Err(FramingError::TooSmall(header.size.get()));
    }
    if size > DRAIN_LIMIT {
        return Err(FramingError::TooLarge(header.size.get()));
    }
    if header.message_type().is_none() {
        return Err(FramingError::Type(header.flags.get()));
    }
    Ok(size)
}
