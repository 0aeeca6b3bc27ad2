//! A limit on requests that are in flight while no thread waits for their answers.

use std::collections::HashMap;

/// The maximum data of all requests and their answers: a UNIX socket holds more by default (about
/// 200 KiB), so a server can send every answer while the client does not receive.
pub(super) const WINDOW_BYTES: usize = 128 * 1024;

/// The requests without an answer, by their ids, with the bytes that each moves.
#[derive(Debug)]
pub(super) struct Window {
    /// The maximum number of requests.
    most: usize,
    calls: HashMap<u16, usize>,
    bytes: usize,
}

impl Window {
    pub(super) fn new(most: usize) -> Self {
        Window { most, calls: HashMap::new(), bytes: 0 }
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.calls.len() < self.most && self.bytes + bytes <= WINDOW_BYTES
    }

    pub(super) fn open(&mut self, id: u16, bytes: usize) {
        self.calls.insert(id, bytes);
        self.bytes += bytes;
    }

    /// Forgets a request that was answered, if it is one of these.
    pub(super) fn close(&mut self, id: u16) {
        self.bytes -= self.calls.remove(&id).unwrap_or(0);
    }
}
