//! Closes descriptors on threads that nothing waits for, because the close may wait.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The number of waiting descriptors from which on no message is received; one message brings up to
/// 253 more.
const LIMIT: usize = 256;

/// The descriptors of one peer that wait to be closed: of the clients of one device, or of a
/// server.
///
/// Each queue has one thread while something waits, so that a peer whose descriptors take for ever
/// to close delays those of no other. Clones share the queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloseQueue(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// The oldest first.
    files: VecDeque<File>,
    has_thread: bool,
}

impl CloseQueue {
    /// Closes a descriptor on the thread of this queue.
    pub(super) fn close(&self, file: File) {
        let mut state = self.state();
        state.files.push_back(file);
        self.start(&mut state);
    }

    /// Checks that the peer may send more descriptors.
    ///
    /// # Errors
    ///
    /// When too many of those that it has sent wait to be closed.
    pub(crate) fn check(&self) -> io::Result<()> {
        let mut state = self.state();
        self.start(&mut state);
        let waiting = state.files.len();
        if waiting < LIMIT {
            return Ok(());
        }
        let problem =
            format!("{waiting} descriptors that it has sent wait to be closed, {LIMIT} may not");
        Err(io::Error::other(problem))
    }

    /// Starts the thread if there is something to close. If the system gives none, the next call
    /// tries again.
    fn start(&self, state: &mut Waiting) {
        if state.has_thread || state.files.is_empty() {
            return;
        }
        let close_queue = self.clone();
        let thread = thread::Builder::new().name("vfio-user close".to_owned());
        state.has_thread = thread.spawn(move || close_queue.close_all()).is_ok();
    }

    fn close_all(&self) {
        while let Some(file) = self.next() {
            drop(file);
        }
    }

    /// Returns the next one to close. The thread ends if there is none.
    fn next(&self) -> Option<File> {
        let mut state = self.state();
        let next = state.files.pop_front();
        state.has_thread = next.is_some();
        next
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what is left when the last clone is dropped: no thread could be started for it.
impl Drop for Waiting {
    fn drop(&mut self) {
        let files = mem::take(&mut self.files);
        if !files.is_empty() {
            // Without a thread now either, they are closed here: nothing is leaked.
            let _ = thread::Builder::new().spawn(move || drop(files));
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
        let close_queue = CloseQueue::default();
        let (mut reader, writer) = io::pipe().unwrap();
        for _ in 0..2 * LIMIT {
            let writer = std::os::fd::OwnedFd::from(writer.try_clone().unwrap());
            close_queue.close(writer.into());
        }
        drop(writer);
        // The pipe ends once no process holds the other end.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        let late = Instant::now() + Duration::from_secs(10);
        while close_queue.state().has_thread {
            assert!(Instant::now() < late, "the thread ends");
            thread::yield_now();
        }
        close_queue.check().unwrap();
    }

    #[test]
    fn a_peer_may_send_no_more_while_the_limit_waits() {
        let close_queue = CloseQueue::default();
        // As if it was closing something for ever.
        close_queue.state().has_thread = true;
        for files in 0..LIMIT {
            close_queue.check().unwrap_or_else(|error| panic!("{files}: {error}"));
            let (_, writer) = io::pipe().unwrap();
            close_queue.close(std::os::fd::OwnedFd::from(writer).into());
        }
        let error = close_queue.check().unwrap_err().to_string();
        assert!(error.contains("256 descriptors"), "{error}");
    }
}
