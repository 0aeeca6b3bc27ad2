//! The epoll set that wakes a device for more than the events of other threads.

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// The set of descriptors that wake a device. It is created when the first doorbell or watched
/// descriptor is added, and from then on also holds the descriptor of events.
#[derive(Debug, Default)]
pub(crate) struct WakeSet {
    set: OnceCell<Arc<EpollSet>>,
}

#[derive(Debug)]
pub(crate) struct EpollSet {
    epoll: Epoll,
    /// The number of members besides the events that are not paused.
    members: AtomicUsize,
}

/// The member that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakeSource {
    Events,
    /// A doorbell, by its index.
    Doorbell(u32),
    /// A watched descriptor, by its number.
    Watch(u32),
}

impl WakeSet {
    /// Returns the set; creates it with `events` in it if necessary.
    pub(crate) fn set(&self, events: BorrowedFd<'_>) -> io::Result<&Arc<EpollSet>> {
        if let Some(set) = self.set.get() {
            return Ok(set);
        }
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(events, EpollEvent::new(EpollFlags::EPOLLIN, WakeSource::Events.encode()))?;
        Ok(self.set.get_or_init(|| Arc::new(EpollSet { epoll, members: AtomicUsize::new(0) })))
    }

    /// Returns the set, if it has a member besides the events.
    pub(crate) fn in_use(&self) -> Option<&Arc<EpollSet>> {
        self.set.get().filter(|set| set.members.load(Ordering::Acquire) > 0)
    }
}

impl EpollSet {
    pub(crate) fn add(
        &self,
        fd: BorrowedFd<'_>,
        flags: EpollFlags,
        token: WakeSource,
    ) -> nix::Result<()> {
        self.epoll.add(fd, EpollEvent::new(flags, token.encode()))?;
        self.members.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    pub(crate) fn modify(
        &self,
        fd: BorrowedFd<'_>,
        flags: EpollFlags,
        token: WakeSource,
    ) -> nix::Result<()> {
        self.epoll.modify(fd, &mut EpollEvent::new(flags, token.encode()))
    }

    /// Makes a member wake the device no more. This cannot fail, because nothing is allocated.
    pub(super) fn pause(&self, fd: BorrowedFd<'_>, token: WakeSource) {
        // The kernel reports errors in any case; edge-triggered, it does so at most once.
        let _ = self.modify(fd, EpollFlags::EPOLLET, token);
        self.members.fetch_sub(1, Ordering::AcqRel);
    }

    /// Makes a paused member wake the device again, at once if it is readable.
    pub(super) fn resume(&self, fd: BorrowedFd<'_>, token: WakeSource) {
        let _ = self.modify(fd, EpollFlags::EPOLLIN, token);
        self.members.fetch_add(1, Ordering::AcqRel);
    }

    /// Removes a member. Closing it would not suffice, because other processes may share it.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
        // It fails only if the set does not hold the descriptor.
        let _ = self.epoll.delete(fd);
        self.members.fetch_sub(1, Ordering::AcqRel);
    }

    /// Returns all members that are ready now.
    pub(crate) fn poll(&self, ready: &mut Vec<EpollEvent>) {
        ready.resize(self.members.load(Ordering::Acquire) + 1, EpollEvent::empty());
        // After an error, ready members stay ready.
        let count = self.epoll.wait(ready, EpollTimeout::ZERO).unwrap_or(0);
        ready.truncate(count);
    }
}

impl AsFd for EpollSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// The upper half holds the kind.
impl WakeSource {
    fn encode(self) -> u64 {
        match self {
            WakeSource::Events => 0,
            WakeSource::Doorbell(index) => 1 << 32 | u64::from(index),
            WakeSource::Watch(number) => 2 << 32 | u64::from(number),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the half that `encode` has put there")]
    pub(crate) fn of(event: &EpollEvent) -> Self {
        let bits = event.data();
        match bits >> 32 {
            0 => WakeSource::Events,
            1 => WakeSource::Doorbell(bits as u32),
            _ => WakeSource::Watch(bits as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventfd::EventFd;

    #[test]
    fn a_set_returns_what_is_ready() {
        let (events, bell, watch) =
            (EventFd::new().unwrap(), EventFd::new().unwrap(), EventFd::new().unwrap());
        let wake_set = WakeSet::default();
        let set = wake_set.set(events.as_fd()).unwrap();
        assert!(wake_set.in_use().is_none());
        set.add(bell.as_fd(), EpollFlags::EPOLLIN, WakeSource::Doorbell(7)).unwrap();
        set.add(watch.as_fd(), EpollFlags::EPOLLIN, WakeSource::Watch(u32::MAX)).unwrap();
        let mut ready = Vec::new();
        set.poll(&mut ready);
        assert!(ready.is_empty());
        [&events, &bell, &watch].into_iter().for_each(EventFd::signal);
        set.poll(&mut ready);
        let tokens: Vec<_> = ready.iter().map(WakeSource::of).collect();
        assert_eq!(
            tokens,
            [WakeSource::Events, WakeSource::Doorbell(7), WakeSource::Watch(u32::MAX)]
        );
        set.remove(bell.as_fd());
        assert!(wake_set.in_use().is_some());
        set.remove(watch.as_fd());
        assert!(wake_set.in_use().is_none());
    }
}
