//! Descriptors whose close may wait, closed where nothing else waits for that.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// From so many descriptors on that wait to be closed nothing more is received: one message brings
/// up to 253 more.
const SHARE: usize = 256;

/// The descriptors of one peer that wait to be closed: of the clients of one device, or of a
/// server.
///
/// Each account has one thread while something waits, so that a peer whose descriptors take for
/// ever to close delays those of no other. Clones are the same account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account(Arc<Mutex<Closing>>);

#[derive(Debug, Default)]
struct Closing {
    /// The oldest first.
    waiting: VecDeque<File>,
    has_thread: bool,
}

impl Account {
    /// Closes a descriptor on the thread of this account.
    pub(super) fn close(&self, file: File) {
        let mut closing = self.closing();
        closing.waiting.push_back(file);
        self.start(&mut closing);
    }

    /// Checks that the peer may send more descriptors.
    ///
    /// # Errors
    ///
    /// If too many of those that it has sent wait to be closed.
    pub(crate) fn check(&self) -> io::Result<()> {
        let mut closing = self.closing();
        self.start(&mut closing);
        let waiting = closing.waiting.len();
        if waiting < SHARE {
            return Ok(());
        }
        let problem =
            format!("{waiting} descriptors that it has sent wait to be closed, {SHARE} may not");
        Err(io::Error::other(problem))
    }

    /// Starts the thread if there is something to close. If the system gives none, the next call
    /// tries again.
    fn start(&self, closing: &mut Closing) {
        if closing.has_thread || closing.waiting.is_empty() {
            return;
        }
        let account = self.clone();
        let thread = thread::Builder::new().name("vfio-user close".to_owned());
        closing.has_thread = thread.spawn(move || account.close_all()).is_ok();
    }

    fn close_all(&self) {
        while let Some(file) = self.next() {
            drop(file);
        }
    }

    /// The next one to close. The thread ends if there is none.
    fn next(&self) -> Option<File> {
        let mut closing = self.closing();
        let next = closing.waiting.pop_front();
        closing.has_thread = next.is_some();
        next
    }

    fn closing(&self) -> MutexGuard<'_, Closing> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left when nobody has the account any more: the system gave no thread for it.
impl Drop for Closing {
    fn drop(&mut self) {
        let waiting = mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            // Without a thread now either, they are closed here: nothing is leaked.
            let _ = thread::Builder::new().spawn(move || drop(waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn all_are_closed_in_the_end() {
        let account = Account::default();
        let (mut reader, writer) = io::pipe().unwrap();
        for _ in 0..2 * SHARE {
            let writer = std::os::fd::OwnedFd::from(writer.try_clone().unwrap());
            account.close(writer.into());
        }
        drop(writer);
        // Ends once nobody holds the other end.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        let late = Instant::now() + Duration::from_secs(10);
        while account.closing().has_thread {
            assert!(Instant::now() < late, "the thread ends");
            thread::yield_now();
        }
        account.check().unwrap();
    }

    #[test]
    fn a_peer_whose_share_waits_may_send_no_more() {
        let account = Account::default();
        // As if it was closing something for ever.
        account.closing().has_thread = true;
        for waiting in 0..SHARE {
            account.check().unwrap_or_else(|error| panic!("{waiting}: {error}"));
            let (_, writer) = io::pipe().unwrap();
            account.close(std::os::fd::OwnedFd::from(writer).into());
        }
        let error = account.check().unwrap_err().to_string();
        assert!(error.contains("256 descriptors"), "{error}");
    }
}
