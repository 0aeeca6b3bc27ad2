//! The eventfd by which a hypervisor unmasks INTx: with KVM, the end of an interrupt arrives so.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::eventfd::EventFd;

/// The eventfd that unmasks INTx, looked at only while INTx is masked: it tells of the ends of all
/// interrupts of a line that several devices may share.
///
/// Any thread may raise INTx, and so mask it, while the device's own thread waits. What that waits
/// for is therefore a set of its own, in which the eventfd is live or not. Of the methods one at a
/// time is called, under the lock of the interrupts.
#[derive(Debug)]
pub(super) struct Resample {
    eventfd: EventFd,
    set: Epoll,
    watched: AtomicBool,
}

impl Resample {
    pub(super) fn new(eventfd: EventFd) -> io::Result<Self> {
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        set.add(eventfd.as_fd(), idle())?;
        Ok(Resample { eventfd, set, watched: AtomicBool::new(false) })
    }

    /// The line is masked: what comes from now on unmasks it, and what came before does not.
    pub(super) fn expect(&self) {
        let stale = self.eventfd.take().is_some();
        self.watch();
        if stale {
            // A counter that does not go to zero when it is read is ready still.
            let _ = self.set.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO);
        }
    }

    /// Looks at the eventfd from now on, and at what has come already.
    pub(super) fn watch(&self) {
        let live = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        self.set_watched(true, EpollEvent::new(live, 0));
    }

    /// The line is not masked.
    pub(super) fn rest(&self) {
        self.set_watched(false, idle());
    }

    /// Whether it was signalled while the line was masked.
    pub(super) fn take(&self) -> bool {
        self.watched.load(Ordering::Relaxed) && self.eventfd.take().is_some()
    }

    fn set_watched(&self, watched: bool, mut event: EpollEvent) {
        if self.watched.swap(watched, Ordering::Relaxed) != watched {
            // What is in the set can be changed.
            let _ = self.set.modify(self.eventfd.as_fd(), &mut event);
        }
    }
}

/// Readable when the eventfd was signalled while it is watched.
impl AsFd for Resample {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.set.0.as_fd()
    }
}

fn idle() -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLET, 0)
}
