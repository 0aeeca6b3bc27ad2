//! What a thread of a device waits for, beside the device's own thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, fence};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Descriptors that wake a thread, and what other threads wake it by.
///
/// All members are edge-triggered: a member that becomes readable wakes the thread once, and the
/// thread reads nothing from it. A member that is readable when it is added wakes the thread as
/// well.
#[derive(Debug)]
pub(crate) struct WaitSet {
    epoll: Epoll,
    wake: EventFd,
    is_waiting: AtomicBool,
}

impl WaitSet {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_value_and_flags(0, flags)?;
        let set = WaitSet { epoll, wake, is_waiting: AtomicBool::new(false) };
        set.add(set.wake.as_fd())?;
        Ok(set)
    }

    pub(crate) fn add(&self, descriptor: BorrowedFd<'_>) -> nix::Result<()> {
        self.epoll.add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0))
    }

    /// Removes a member. Closing it would not suffice, because other processes may share it.
    pub(super) fn remove(&self, descriptor: BorrowedFd<'_>) {
        // It fails only if the set does not hold the descriptor.
        let _ = self.epoll.delete(descriptor);
    }

    /// Waits until a member is signalled or [`wake`](Self::wake) is called, unless `is_due`. It may
    /// return early.
    pub(crate) fn wait(&self, is_due: impl FnOnce() -> bool) {
        self.is_waiting.store(true, SeqCst);
        // Either `is_due` sees what was stored before `wake`, or `wake` sees that this waits.
        fence(SeqCst);
        if !is_due() {
            // Members that do not fit stay ready. After an error the caller looks again.
            let _ = self.epoll.wait(&mut [EpollEvent::empty(); 8], EpollTimeout::NONE);
        }
        self.is_waiting.store(false, SeqCst);
    }

    /// Wakes the thread, if it waits. What it is woken for is stored before.
    pub(crate) fn wake(&self) {
        fence(SeqCst);
        if self.is_waiting.load(SeqCst) {
            // It fails only when the counter is full, after 2^64 calls.
            let _ = self.wake.write(1);
        }
    }
}
