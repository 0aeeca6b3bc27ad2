//! Events for a device, from its own hooks and from other threads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::eventfd::EventFd;
use crate::limits::Limits;

/// An event that waits to be delivered.
pub(crate) enum Posted<E> {
    Event(E),
    /// An event that is dropped when its session ends.
    OfSession(E, u64),
    /// An event that is created when it is delivered, when its session may have ended.
    Later(Box<dyn FnOnce() -> E + Send>),
}

impl<E> Posted<E> {
    /// Returns the event. Call this right before the event is handled.
    pub(crate) fn into_event(self) -> E {
        match self {
            Posted::Event(event) | Posted::OfSession(event, _) => event,
            Posted::Later(make) => make(),
        }
    }
}

/// Posts events to a device from any thread. This is a handle: clone it, move it to a worker.
///
/// A handle from [`Cx::remote`](crate::Cx::remote) works as long as the device exists, over clients
/// and resets: use it for external input, such as packets. A handle from
/// [`Cx::session_remote`](crate::Cx::session_remote) is for the work of one guest, and ends with
/// its session.
///
/// While a handle exists, the device's thread waits for it as well as for its client, which costs
/// one more system call per request.
pub struct Remote<E> {
    mailbox: Arc<Mailbox<E>>,
    /// The session of the handle, if it belongs to one.
    session: Option<u64>,
}

/// An event that was not accepted, and the reason.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PostError<E> {
    /// As many events wait already as [`Limits::events`](crate::Limits::events) allows.
    #[error("as many events wait for the device as its limit allows")]
    Full(E),
    /// The device is gone. A device that panicked is replaced, and its workers end with this error.
    #[error("the device is gone")]
    Gone(E),
    /// The session that the handle is for has ended.
    #[error("the session that the event belongs to has ended")]
    SessionEnded(E),
}

/// Omits the event, which may not implement `Debug`.
impl<E> fmt::Debug for PostError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PostError::Full(_) => "Full(..)",
            PostError::Gone(_) => "Gone(..)",
            PostError::SessionEnded(_) => "SessionEnded(..)",
        })
    }
}

impl<E> Remote<E> {
    /// Posts an event, which [`Device::event`](crate::Device::event) receives on the device's
    /// thread, in order. Never blocks.
    ///
    /// # Errors
    ///
    /// [`PostError`], with the event.
    pub fn post(&self, event: E) -> Result<(), PostError<E>> {
        let mut queue = self.mailbox.queue();
        if self.mailbox.closed.load(Ordering::Acquire) {
            return Err(PostError::Gone(event));
        }
        let has_ended = |session| session != self.mailbox.session.load(Ordering::Relaxed);
        if self.session.is_some_and(has_ended) {
            return Err(PostError::SessionEnded(event));
        }
        if queue.len() >= self.mailbox.capacity.load(Ordering::Relaxed) {
            return Err(PostError::Full(event));
        }
        let posted = match self.session {
            Some(session) => Posted::OfSession(event, session),
            None => Posted::Event(event),
        };
        self.mailbox.put(&mut queue, posted);
        Ok(())
    }

    /// Posts the result of a request of the device itself, without a limit; the event is created
    /// when it is delivered.
    pub(crate) fn deliver(&self, make: impl FnOnce() -> E + Send + 'static) {
        let mut queue = self.mailbox.queue();
        // A device that is gone receives nothing any more.
        if !self.mailbox.closed.load(Ordering::Acquire) {
            self.mailbox.put(&mut queue, Posted::Later(Box::new(make)));
        }
    }
}

impl<E> Clone for Remote<E> {
    fn clone(&self) -> Self {
        Remote { mailbox: Arc::clone(&self.mailbox), session: self.session }
    }
}

impl<E> fmt::Debug for Remote<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

struct Mailbox<E> {
    queue: Mutex<VecDeque<Posted<E>>>,
    /// Whether the queue may hold an event, to check without a lock.
    posted: AtomicBool,
    /// The maximum number of events in the queue.
    capacity: AtomicUsize,
    /// Whether the device is gone.
    closed: AtomicBool,
    /// The number of the current session. It changes under the lock of the queue.
    session: AtomicU64,
    wake: EventFd,
}

impl<E> Mailbox<E> {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Posted<E>>> {
        // A queue is consistent between any two of its methods, so a panic elsewhere does not
        // corrupt it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event under the lock, as `take` does: otherwise a signal could outlast its event.
    fn put(&self, queue: &mut VecDeque<Posted<E>>, posted: Posted<E>) {
        queue.push_back(posted);
        self.posted.store(true, Ordering::Release);
        self.wake.signal();
    }
}

/// The receiving end, for the device.
pub(crate) struct Events<E> {
    own: RefCell<VecDeque<Posted<E>>>,
    mailbox: Arc<Mailbox<E>>,
}

impl<E> Events<E> {
    pub(crate) fn new() -> io::Result<Self> {
        let mailbox = Mailbox {
            queue: Mutex::default(),
            posted: AtomicBool::new(false),
            capacity: AtomicUsize::new(Limits::DEFAULT.events),
            closed: AtomicBool::new(false),
            session: AtomicU64::new(0),
            wake: EventFd::new()?,
        };
        Ok(Events { own: RefCell::default(), mailbox: Arc::new(mailbox) })
    }

    /// Sets how many events of other threads may wait.
    pub(crate) fn limit(&self, events: usize) {
        self.mailbox.capacity.store(events, Ordering::Relaxed);
    }

    pub(crate) fn remote(&self) -> Remote<E> {
        Remote { mailbox: Arc::clone(&self.mailbox), session: None }
    }

    /// Returns a remote for the current session.
    pub(crate) fn session_remote(&self) -> Remote<E> {
        let session = self.mailbox.session.load(Ordering::Relaxed);
        Remote { session: Some(session), ..self.remote() }
    }

    /// Ends the session: its remotes post nothing any more, and the events that they have posted
    /// are dropped.
    pub(crate) fn end_session(&self) {
        let mut queue = self.mailbox.queue();
        self.mailbox.session.fetch_add(1, Ordering::Relaxed);
        let is_over = |posted: &Posted<E>| matches!(posted, Posted::OfSession(..));
        let (over, rest) = mem::take(&mut *queue).into_iter().partition::<VecDeque<_>, _>(is_over);
        *queue = rest;
        drop(queue);
        // Without the lock, because dropping an event may post another one.
        drop(over);
    }

    /// Returns whether the session of an event that was taken has not ended.
    pub(crate) fn is_due(&self, posted: &Posted<E>) -> bool {
        let Posted::OfSession(_, session) = posted else { return true };
        *session == self.mailbox.session.load(Ordering::Relaxed)
    }

    /// Posts from the device's own thread.
    pub(crate) fn post(&self, event: E) {
        self.own.borrow_mut().push_back(Posted::Event(event));
    }

    /// Posts an event from the device's own thread that is created when it is delivered.
    pub(crate) fn post_later(&self, make: impl FnOnce() -> E + Send + 'static) {
        self.own.borrow_mut().push_back(Posted::Later(Box::new(make)));
    }

    /// Returns whether the device itself has posted an event.
    pub(crate) fn has_own(&self) -> bool {
        !self.own.borrow().is_empty()
    }

    /// Drops all waiting events.
    pub(crate) fn clear(&self) {
        drop(self.take());
    }

    /// Returns whether no event waits.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_own() && !self.mailbox.posted.load(Ordering::Acquire)
    }

    /// Returns the descriptor to wait for, if another thread can post events, or has posted one
    /// before it dropped its remote.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        let shared = Arc::strong_count(&self.mailbox) > 1;
        // The last remote has posted before it was dropped, so check the queue after the count.
        fence(Ordering::Acquire);
        (shared || self.mailbox.posted.load(Ordering::Acquire)).then(|| self.mailbox.wake.as_fd())
    }

    /// Returns a descriptor that is readable while another thread has posted an event.
    pub(crate) fn signal(&self) -> BorrowedFd<'_> {
        self.mailbox.wake.as_fd()
    }

    /// Takes the events that wait now, the device's own first. Events that are posted while these
    /// are handled are taken the next time, so that clients are served in between.
    pub(crate) fn take(&self) -> VecDeque<Posted<E>> {
        let (mut events, mut remote) = self.take_each();
        events.append(&mut remote);
        events
    }

    /// As [`take`](Self::take): the device's own, and those of other threads.
    pub(crate) fn take_each(&self) -> (VecDeque<Posted<E>>, VecDeque<Posted<E>>) {
        let own = mem::take(&mut *self.own.borrow_mut());
        if !self.mailbox.posted.load(Ordering::Acquire) {
            return (own, VecDeque::new());
        }
        let mut queue = self.mailbox.queue();
        self.mailbox.wake.take();
        self.mailbox.posted.store(false, Ordering::Release);
        (own, mem::take(&mut *queue))
    }

    /// Returns an event as another thread posts it, for the current session or any.
    pub(crate) fn posted(&self, event: E, of_session: bool) -> Posted<E> {
        if of_session {
            Posted::OfSession(event, self.mailbox.session.load(Ordering::Relaxed))
        } else {
            Posted::Event(event)
        }
    }
}

impl<E> Events<E> {
    /// Closes the queue: later posts fail, and waiting events are dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.mailbox.queue();
        self.mailbox.closed.store(true, Ordering::Release);
        let waiting = mem::take(&mut *queue);
        drop(queue);
        // Without the lock, because dropping an event may post another one.
        drop(waiting);
        drop(mem::take(&mut *self.own.borrow_mut()));
    }
}

impl<E> Drop for Events<E> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(events: &Events<i32>) -> Vec<i32> {
        events.take().into_iter().map(Posted::into_event).collect()
    }

    #[test]
    fn events_arrive_in_order_and_wake_once() {
        let events = Events::new().unwrap();
        assert!(events.wake().is_none(), "no remote is left");
        let remote = events.remote();
        assert!(events.wake().is_some());
        remote.post(1).unwrap();
        remote.post(2).unwrap();
        events.post(0);
        assert_eq!(taken(&events), [0, 1, 2]);
        assert!(events.take().is_empty());
    }

    #[test]
    fn what_a_dropped_remote_has_posted_is_still_taken() {
        let events = Events::new().unwrap();
        events.remote().post(7).unwrap();
        assert!(events.wake().is_some());
        assert_eq!(taken(&events), [7]);
        assert!(events.wake().is_none());
    }

    #[test]
    fn a_wake_up_never_outlasts_its_event() {
        let events = Events::new().unwrap();
        let remote = events.remote();
        let poster =
            std::thread::spawn(move || (0..100_000).for_each(|event| drop(remote.post(event))));
        while !poster.is_finished() {
            events.take();
        }
        poster.join().unwrap();
        events.take();
        assert_eq!(events.mailbox.wake.take(), None);
    }

    #[test]
    fn nothing_can_be_posted_to_a_device_that_is_gone() {
        let events = Events::new().unwrap();
        let remote = events.remote();
        drop(events);
        assert!(matches!(remote.post(1), Err(PostError::Gone(1))));
    }

    #[test]
    fn a_full_mailbox_gives_the_event_back() {
        let events = Events::new().unwrap();
        let remote = events.remote();
        for event in 0..Limits::DEFAULT.events {
            remote.post(event).unwrap();
        }
        assert!(matches!(remote.post(9999), Err(PostError::Full(9999))));
    }
}
