//! Requests that have to wait while the client's answers, which came behind them, are heard.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crate::protocol::Header;
use crate::transport::{Incoming, Message};

/// Requests in the order in which they came, up to some.
#[derive(Debug, Default)]
pub(super) struct Parked {
    requests: VecDeque<Request>,
    bytes: usize,
}

/// A request that has been taken out of the receiver.
#[derive(Debug)]
pub(super) struct Request {
    header: Header,
    /// `None` if it was too large.
    payload: Option<Vec<u8>>,
    fds: Vec<OwnedFd>,
}

impl Parked {
    const ENOUGH: usize = 256 << 10;

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether no more had better be taken.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= Self::ENOUGH
    }

    pub(super) fn push(&mut self, incoming: Incoming<'_>) {
        let request = match incoming {
            Incoming::Message(Message { header, payload, fds }) => {
                Request { header, payload: Some(payload.to_vec()), fds }
            }
            Incoming::TooLarge(header) => Request { header, payload: None, fds: Vec::new() },
        };
        self.bytes += request.weight();
        self.requests.push_back(request);
    }

    pub(super) fn pop(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        self.bytes -= request.weight();
        Some(request)
    }
}

impl Request {
    /// The memory that it takes.
    fn weight(&self) -> usize {
        size_of::<Self>() + self.payload.as_ref().map_or(0, Vec::len)
    }

    /// As it came.
    pub(super) fn incoming(&mut self) -> Incoming<'_> {
        let Request { header, payload, fds } = self;
        match payload {
            Some(payload) => {
                Incoming::Message(Message { header: *header, payload, fds: std::mem::take(fds) })
            }
            None => Incoming::TooLarge(*header),
        }
    }
}
