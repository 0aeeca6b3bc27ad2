//! Requests that wait for their reply.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::log::Route;

/// The most requests that are kept: a peer may send any number without a reply.
const MOST: usize = 16 << 10;

/// A request that was sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) time: Duration,
    /// Whether the filter shows it, and its reply.
    pub(super) is_shown: bool,
    /// Its line, where it is shown only together with an error.
    pub(super) line: Option<String>,
}

/// The requests of all connections, by who sent them and their id. Ids need not be unique: the
/// first request with one is replied to first.
#[derive(Debug, Default)]
pub(super) struct Pending {
    requests: HashMap<(Route, u16), VecDeque<Request>>,
    count: usize,
}

impl Pending {
    pub(super) fn push(&mut self, route: Route, id: u16, request: Request) {
        if self.count == MOST {
            *self = Pending::default();
        }
        self.count += 1;
        self.requests.entry((route, id)).or_default().push_back(request);
    }

    /// Takes the request of a reply that takes this way.
    pub(super) fn take(&mut self, reply: Route, id: u16) -> Option<Request> {
        let key = (reply.back(), id);
        let requests = self.requests.get_mut(&key)?;
        let request = requests.pop_front();
        if requests.is_empty() {
            self.requests.remove(&key);
        }
        self.count -= usize::from(request.is_some());
        request
    }

    /// Forgets the requests of a connection that has ended.
    pub(super) fn forget(&mut self, connection: u32) {
        self.requests.retain(|(route, _), _| route.connection != connection);
        self.count = self.requests.values().map(VecDeque::len).sum();
    }
}
