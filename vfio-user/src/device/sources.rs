//! Descriptors that wake a device besides its events: doorbells, and those that it watches.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Posts events while a descriptor is readable; see [`Cx::watch`](crate::Cx::watch). Dropped, on
/// whichever thread, it posts none any more.
#[derive(Debug)]
#[must_use = "a descriptor is watched as long as this exists"]
pub struct Watch {
    _alive: Arc<()>,
}

/// What has happened to a descriptor that is [watched](crate::Cx::watch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// There is something to read.
    Readable,
    /// The other end is closed, or broken. What it has sent before can still be read, up to the end:
    /// the descriptor is not watched any more.
    Closed,
}

/// What is waited for: nothing but the device's mailbox until there is a doorbell or a descriptor to
/// watch.
pub(crate) struct Sources<E> {
    epoll: OnceCell<Epoll>,
    /// How many doorbells there are.
    doorbells: Cell<usize>,
    watched: RefCell<Vec<Watched<E>>>,
    /// The token of the next one: never one that was there before.
    next: Cell<u64>,
    /// Room for all of them, and what was found the last time.
    ready: RefCell<Vec<EpollEvent>>,
    found: Cell<usize>,
}

/// A descriptor of our own, which nobody else closes.
struct Watched<E> {
    token: u64,
    fd: OwnedFd,
    wanted: Weak<()>,
    event: Box<dyn Fn(Readiness) -> E + Send>,
}

/// Those of doorbells come before.
const FIRST_WATCHED: u64 = 1 << 32;
const MAILBOX: u64 = u64::MAX;

impl<E> Sources<E> {
    pub(crate) fn new() -> Self {
        Sources {
            epoll: OnceCell::new(),
            doorbells: Cell::new(0),
            watched: RefCell::default(),
            next: Cell::new(FIRST_WATCHED),
            ready: RefCell::default(),
            found: Cell::new(0),
        }
    }

    /// The set, which has the device's mailbox in it.
    fn epoll(&self, mailbox: BorrowedFd<'_>) -> io::Result<&Epoll> {
        if self.epoll.get().is_none() {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            epoll.add(mailbox, EpollEvent::new(EpollFlags::EPOLLIN, MAILBOX))?;
            return Ok(self.epoll.get_or_init(|| epoll));
        }
        self.epoll.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn add_doorbell(
        &self,
        mailbox: BorrowedFd<'_>,
        eventfd: BorrowedFd<'_>,
        place: u32,
    ) -> io::Result<()> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, place.into());
        self.epoll(mailbox)?.add(eventfd, event)?;
        self.doorbells.set(self.doorbells.get() + 1);
        Ok(())
    }

    pub(super) fn remove_doorbell(&self, eventfd: BorrowedFd<'_>) {
        self.remove(eventfd);
        self.doorbells.set(self.doorbells.get().saturating_sub(1));
    }

    pub(super) fn watch(
        &self,
        mailbox: BorrowedFd<'_>,
        fd: OwnedFd,
        event: Box<dyn Fn(Readiness) -> E + Send>,
    ) -> io::Result<Watch> {
        let (token, alive) = (self.next.get(), Arc::new(()));
        let readable = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP;
        self.epoll(mailbox)?.add(&fd, EpollEvent::new(readable, token))?;
        self.next.set(token + 1);
        let wanted = Arc::downgrade(&alive);
        self.watched.borrow_mut().push(Watched { token, fd, wanted, event });
        Ok(Watch { _alive: alive })
    }

    /// What to wait for, if it is more than the mailbox.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.sweep();
        let some = self.doorbells.get() > 0 || !self.watched.borrow().is_empty();
        self.epoll.get().filter(|_| some).map(|epoll| epoll.0.as_fd())
    }

    /// Forgets what nobody wants to be watched any more.
    fn sweep(&self) {
        self.watched.borrow_mut().retain(|watched| {
            let is_wanted = watched.wanted.strong_count() > 0;
            if !is_wanted {
                self.remove(watched.fd.as_fd());
            }
            is_wanted
        });
    }

    /// Finds who is ready; gives an upper bound of the number of doorbells among them.
    pub(super) fn look(&self) -> usize {
        self.sweep();
        let sources = self.doorbells.get() + self.watched.borrow().len();
        let found = match self.epoll.get() {
            Some(epoll) if sources > 0 => {
                let mut ready = self.ready.borrow_mut();
                ready.resize(sources + 1, EpollEvent::empty());
                // Whatever else happened, what is ready stays so.
                epoll.wait(&mut ready, EpollTimeout::ZERO).unwrap_or(0)
            }
            _ => 0,
        };
        self.found.set(found);
        if self.doorbells.get() > 0 { found } else { 0 }
    }

    /// The place of the doorbell that was found as number `number`, if it was one.
    pub(super) fn doorbell(&self, number: usize) -> Option<usize> {
        let token = self.ready.borrow().get(number)?.data();
        usize::try_from(token).ok().filter(|_| token < FIRST_WATCHED)
    }

    /// Posts the events of watched descriptors that were found, once.
    pub(super) fn post(&self, post: impl Fn(E)) {
        let ready = self.ready.borrow();
        for ready in &ready[..self.found.take()] {
            let mut watched = self.watched.borrow_mut();
            let is_it = |watched: &Watched<E>| watched.token == ready.data();
            let Some(place) = watched.iter().position(is_it) else { continue };
            if watched[place].wanted.strong_count() == 0 {
                continue;
            }
            let closed = EpollFlags::EPOLLHUP | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLERR;
            if ready.events().intersects(closed) {
                let watched = watched.remove(place);
                self.remove(watched.fd.as_fd());
                post((watched.event)(Readiness::Closed));
            } else {
                post((watched[place].event)(Readiness::Readable));
            }
        }
    }

    /// Others may share what is behind a descriptor, so closing ours would not do.
    fn remove(&self, fd: BorrowedFd<'_>) {
        if let Some(epoll) = self.epoll.get() {
            // It fails only if the set does not hold it.
            let _ = epoll.delete(fd);
        }
    }
}

impl<E> fmt::Debug for Sources<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;
    use crate::eventfd::EventFd;

    fn watch(sources: &Sources<Readiness>, fd: &impl AsFd) -> io::Result<Watch> {
        let (mailbox, fd) = (EventFd::new()?, fd.as_fd().try_clone_to_owned()?);
        sources.watch(mailbox.as_fd(), fd, Box::new(|readiness| readiness))
    }

    fn events(sources: &Sources<Readiness>) -> Vec<Readiness> {
        sources.look();
        let events = RefCell::<Vec<Readiness>>::default();
        sources.post(|event| events.borrow_mut().push(event));
        events.into_inner()
    }

    #[test]
    fn nothing_is_waited_for_once_nothing_is_watched() {
        let (sources, (wire, mut far)) = (Sources::new(), UnixStream::pair().unwrap());
        assert!(sources.wake().is_none());
        let first = watch(&sources, &wire).unwrap();
        let second = watch(&sources, &wire).unwrap();
        assert!(sources.wake().is_some());
        far.write_all(b"!").unwrap();
        assert_eq!(events(&sources), [Readiness::Readable; 2]);
        drop(first);
        assert_eq!(events(&sources), [Readiness::Readable]);
        drop(second);
        assert!(sources.wake().is_none());
        assert_eq!(events(&sources), []);
    }

    #[test]
    fn a_watch_that_is_dropped_elsewhere_lets_go_of_its_duplicate() {
        let (sources, (wire, mut far)) = (Sources::new(), UnixStream::pair().unwrap());
        let watch = watch(&sources, &wire).unwrap();
        drop(wire);
        thread::spawn(move || drop(watch)).join().unwrap();
        assert_eq!(events(&sources), []);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn one_that_is_dropped_after_it_was_found_posts_nothing() {
        let (sources, (wire, mut far)) = (Sources::new(), UnixStream::pair().unwrap());
        far.write_all(b"!").unwrap();
        let watch = watch(&sources, &wire).unwrap();
        sources.look();
        drop(watch);
        sources.post(|_| panic!("nobody wants it"));
    }

    #[test]
    fn the_last_event_tells_that_the_far_end_is_closed() {
        let (sources, (wire, far)) = (Sources::new(), UnixStream::pair().unwrap());
        let _watch = watch(&sources, &wire).unwrap();
        drop(far);
        assert_eq!(events(&sources), [Readiness::Closed]);
        assert_eq!(events(&sources), []);
        assert!(sources.wake().is_none());
    }

    #[test]
    fn a_regular_file_cannot_be_watched() {
        let file = memfd_create(c"file", MFdFlags::MFD_CLOEXEC).unwrap();
        let error = watch(&Sources::new(), &file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
}
