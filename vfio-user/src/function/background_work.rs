//! The trait of functions that work without a request of the client.

use std::os::fd::BorrowedFd;
use std::time::Instant;

/// The work of a [`Function`](super::Function) besides the client's requests: doorbells, events,
/// timers, watched memory, and resets that the guest requests.
///
/// The provided methods are those of a function that has no such work.
pub trait BackgroundWork {
    /// Handles requests that the client has made outside its socket, before the messages that have
    /// been received since then.
    fn catch_up(&mut self) {}

    /// Returns whether the guest has requested a reset by a write.
    fn wants_reset(&self) -> bool {
        false
    }

    /// Performs that reset. The client is answered at once: while the function has to wait because
    /// memory is still held, it answers reads with ones and ignores writes.
    fn reset_as_wanted(&mut self) {}

    /// Returns whether work besides the client's requests is due now.
    fn has_work(&self) -> bool {
        false
    }

    /// Returns a descriptor to wait for besides the client; it is readable when there is work.
    fn wake(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns the time at which work is due if nothing happens before.
    fn deadline(&mut self) -> Option<Instant> {
        None
    }

    /// Returns the time of the next [`poll`](Self::poll) at memory that guests write without a
    /// message; `None` if there is no such memory. A time in the past requests a poll at once.
    fn next_poll(&self) -> Option<Instant> {
        None
    }

    /// Returns whether such memory has changed; [`work`](Self::work) then handles the change. This
    /// method runs far more often than memory changes, so it has to be quick and calls no hook.
    fn poll(&mut self) -> bool {
        false
    }

    /// Does the work that is due now.
    fn work(&mut self) {}
}
