//! Requests that are deferred while answers of the client, which arrived after them, are handled.

use std::collections::VecDeque;
use std::io;

use zerocopy::IntoBytes;

use crate::fds::PeerFds;
use crate::parcel::Packing;
use crate::protocol::Header;
use crate::transport::{Incoming, Message, Unhandled};

/// Deferred requests in the order of their arrival, up to a limit.
#[derive(Debug, Default)]
pub(super) struct DeferredRequests {
    requests: VecDeque<DeferredRequest>,
    bytes: usize,
}

/// A request that has been taken out of the receiver.
#[derive(Debug)]
pub(super) struct DeferredRequest {
    header: Header,
    /// `None` if it was too large.
    payload: Option<Vec<u8>>,
    fds: PeerFds,
    fds_are_lost: bool,
}

impl DeferredRequests {
    const ENOUGH: usize = 256 << 10;

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Returns whether no more should be added.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= Self::ENOUGH
    }

    /// Adds all of them to a parcel. `None` if the payload of one was skipped.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(super) fn pack(&self, parcel: &mut Packing) -> io::Result<Option<Unhandled>> {
        let mut packed = Unhandled::default();
        for DeferredRequest { header, payload, fds, fds_are_lost } in &self.requests {
            let Some(payload) = payload else { return Ok(None) };
            let message = [header.as_bytes(), payload].concat();
            packed.push(&message, fds, *fds_are_lost, parcel)?;
        }
        Ok(Some(packed))
    }

    pub(super) fn push(&mut self, incoming: Incoming<'_>) {
        let request = match incoming {
            Incoming::Message(Message { header, payload, fds, fds_are_lost }) => {
                DeferredRequest { header, payload: Some(payload.to_vec()), fds, fds_are_lost }
            }
            Incoming::TooLarge(header) => DeferredRequest {
                header,
                payload: None,
                fds: PeerFds::default(),
                fds_are_lost: false,
            },
        };
        self.bytes += request.weight();
        self.requests.push_back(request);
    }

    pub(super) fn pop(&mut self) -> Option<DeferredRequest> {
        let request = self.requests.pop_front()?;
        self.bytes -= request.weight();
        Some(request)
    }
}

impl DeferredRequest {
    /// Returns the memory that it takes.
    fn weight(&self) -> usize {
        size_of::<Self>() + self.payload.as_ref().map_or(0, Vec::len)
    }

    /// Returns the request as it arrived.
    pub(super) fn incoming(&mut self) -> Incoming<'_> {
        let DeferredRequest { header, payload, fds, fds_are_lost } = self;
        match payload {
            Some(payload) => Incoming::Message(Message {
                header: *header,
                payload,
                fds: std::mem::take(fds),
                fds_are_lost: *fds_are_lost,
            }),
            None => Incoming::TooLarge(*header),
        }
    }
}
