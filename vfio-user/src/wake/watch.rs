//! Descriptors that a device watches, to receive an event when they are readable.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::wake_set::{EpollSet, WakeSet, WakeSource};

/// A descriptor that a device watches: the result of [`Cx::watch`](crate::Cx::watch). Dropping it
/// ends the watch, from any thread.
///
/// It does not migrate, so a field for it needs `#[migrate(skip)]`. A reset does not affect it.
#[derive(Debug)]
#[must_use = "a descriptor is watched until this is dropped"]
pub struct Watch {
    watched: Arc<WatchedFd>,
}

/// The state of a watched descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// There is data to read, or a connection to accept.
    Readable,
    /// The other end is closed, or there is an error. Reading to the end does not block; the
    /// descriptor causes no further event.
    Closed,
}

/// The reason why a descriptor cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// [`Watch::LIMIT`] descriptors are watched already.
    #[error("the device watches {} descriptors and can watch no more", Watch::LIMIT)]
    TooMany,
    /// The descriptor is a regular file or a directory.
    #[error("a regular file or a directory cannot be watched, as it can always be read")]
    AlwaysReady,
    /// The system refused it.
    #[error("the descriptor cannot be watched")]
    System(#[source] io::Error),
}

impl Watch {
    /// The maximum number of descriptors that a device watches at a time.
    pub const LIMIT: usize = 1024;

    /// Suppresses events of the descriptor until [`resume`](Self::resume), for a device that has no
    /// room for the data.
    pub fn pause(&self) {
        self.watched.turn(WatchState::Paused);
    }

    /// Resumes events of the descriptor. One follows at once if there is data to read.
    pub fn resume(&self) {
        self.watched.turn(WatchState::On);
    }

    /// Returns whether [`Readiness::Closed`] was reported.
    pub fn is_closed(&self) -> bool {
        *self.watched.state() == WatchState::Closed
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchState {
    On,
    Paused,
    Closed,
}

/// A member of the set until it is closed.
#[derive(Debug)]
struct WatchedFd {
    set: Arc<EpollSet>,
    /// A descriptor of our own, so that no other code closes it.
    fd: OwnedFd,
    token: WakeSource,
    state: Mutex<WatchState>,
}

impl WatchedFd {
    fn new(set: &Arc<EpollSet>, fd: BorrowedFd<'_>, token: WakeSource) -> Result<Self, WatchError> {
        let fd = fd.try_clone_to_owned().map_err(WatchError::System)?;
        set.add(fd.as_fd(), WatchState::On.flags(), token).map_err(|errno| match errno {
            Errno::EPERM => WatchError::AlwaysReady,
            errno => WatchError::System(errno.into()),
        })?;
        Ok(WatchedFd { set: Arc::clone(set), fd, token, state: Mutex::new(WatchState::On) })
    }

    fn turn(&self, to: WatchState) {
        let mut state = self.state();
        if *state == to || *state == WatchState::Closed {
            return;
        }
        // It is in the set, and modifying its entry allocates no memory.
        let _ = self.set.modify(self.fd.as_fd(), to.flags(), self.token);
        *state = to;
    }

    /// Returns what to report of the descriptor, if anything. A closed one is reported once.
    fn readiness(&self, flags: EpollFlags) -> Option<Readiness> {
        let mut state = self.state();
        if *state != WatchState::On {
            return None;
        }
        let closed = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        if !flags.intersects(closed) {
            return Some(Readiness::Readable);
        }
        self.set.remove(self.fd.as_fd());
        *state = WatchState::Closed;
        Some(Readiness::Closed)
    }

    fn state(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WatchedFd {
    fn drop(&mut self) {
        if *self.state() != WatchState::Closed {
            self.set.remove(self.fd.as_fd());
        }
    }
}

impl WatchState {
    fn flags(self) -> EpollFlags {
        match self {
            WatchState::On => EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP,
            // The kernel reports a closed other end in any case; edge-triggered, it does so at most
            // once.
            WatchState::Paused | WatchState::Closed => EpollFlags::EPOLLET,
        }
    }
}

type MakeEvent<E> = Box<dyn FnMut(Readiness) -> E + Send>;

struct WatchEntry<E> {
    watched: Weak<WatchedFd>,
    event: MakeEvent<E>,
}

/// The descriptors that a device watches.
pub(crate) struct Watches<E> {
    entries: RefCell<BTreeMap<u32, WatchEntry<E>>>,
    next: Cell<u32>,
    /// The events of the last poll.
    ready: RefCell<Vec<EpollEvent>>,
}

impl<E> Watches<E> {
    pub(crate) fn add(
        &self,
        wake_set: &WakeSet,
        events: BorrowedFd<'_>,
        fd: BorrowedFd<'_>,
        event: MakeEvent<E>,
    ) -> Result<Watch, WatchError> {
        let mut entries = self.entries.borrow_mut();
        entries.retain(|_, entry| entry.watched.strong_count() > 0);
        if entries.len() >= Watch::LIMIT {
            return Err(WatchError::TooMany);
        }
        let mut number = self.next.get();
        while entries.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        let set = wake_set.set(events).map_err(WatchError::System)?;
        let watched = Arc::new(WatchedFd::new(set, fd, WakeSource::Watch(number))?);
        entries.insert(number, WatchEntry { watched: Arc::downgrade(&watched), event });
        self.next.set(number.wrapping_add(1));
        Ok(Watch { watched })
    }

    /// Returns the maximum number of descriptors that are ready now.
    pub(crate) fn poll(&self, wake_set: &WakeSet) -> usize {
        let mut ready = self.ready.borrow_mut();
        ready.clear();
        if let Some(set) = wake_set.in_use().filter(|_| !self.entries.borrow().is_empty()) {
            set.poll(&mut ready);
        }
        ready.len()
    }

    /// Returns the event of one that [`poll`](Self::poll) has counted, if it is still watched.
    pub(crate) fn event(&self, index: usize) -> Option<E> {
        let ready = *self.ready.borrow().get(index)?;
        let WakeSource::Watch(number) = WakeSource::of(&ready) else { return None };
        let mut entries = self.entries.borrow_mut();
        let entry = entries.get_mut(&number)?;
        let Some(watched) = entry.watched.upgrade() else {
            entries.remove(&number);
            return None;
        };
        let readiness = watched.readiness(ready.events())?;
        Some((entry.event)(readiness))
    }
}

impl<E> Default for Watches<E> {
    fn default() -> Self {
        Watches { entries: RefCell::default(), next: Cell::default(), ready: RefCell::default() }
    }
}

impl<E> fmt::Debug for Watches<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watches")
            .field("count", &self.entries.borrow().len())
            .finish_non_exhaustive()
    }
}
