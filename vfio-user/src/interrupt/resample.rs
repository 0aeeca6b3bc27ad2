//! The eventfd by which a hypervisor unmasks INTx; KVM signals it at the end of an interrupt.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::eventfd::EventFd;

/// The eventfd that unmasks INTx, watched only while INTx is masked, because it reports the ends of
/// all interrupts of a line that several devices may share.
///
/// Any thread may raise INTx, and so mask it, while the device's own thread waits. Therefore that
/// thread waits for a separate epoll set, in which the eventfd is active or not. The methods are
/// called one at a time, under the lock of the interrupts.
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

    pub(super) fn eventfd(&self) -> &EventFd {
        &self.eventfd
    }

    /// Handles a masked line: later signals unmask it, earlier ones do not.
    pub(super) fn expect(&self) {
        let stale = self.eventfd.take().is_some();
        self.watch();
        if stale {
            // A counter that does not go to zero when it is read is still ready.
            let _ = self.set.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO);
        }
    }

    /// Watches the eventfd, including for signals that have arrived already.
    pub(super) fn watch(&self) {
        let live = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        self.set_watched(true, EpollEvent::new(live, 0));
    }

    /// Handles an unmasked line: stops watching.
    pub(super) fn disarm(&self) {
        self.set_watched(false, idle());
    }

    /// Returns whether the eventfd was signalled while the line was masked.
    pub(super) fn take(&self) -> bool {
        self.watched.load(Ordering::Relaxed) && self.eventfd.take().is_some()
    }

    fn set_watched(&self, watched: bool, mut event: EpollEvent) {
        if self.watched.swap(watched, Ordering::Relaxed) != watched {
            // Modifying an entry of the set cannot fail.
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
