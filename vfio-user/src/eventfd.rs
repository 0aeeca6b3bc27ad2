//! Event counters of the kernel: how interrupts, and wake-ups, cross processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd as NixEventFd};

use crate::sys;
use crate::wait::wait_for;

/// An eventfd (`eventfd(2)`), never blocking.
///
/// Neither [`signal`](Self::signal) nor [`take`](Self::take) ever waits, whatever another process that
/// shares the counter does to it: fills it, or changes its mode. This needs Linux 5.8 or later, with
/// asynchronous I/O (`CONFIG_AIO`). Both work in a child of `fork(2)` as well.
///
/// ```
/// use std::time::Duration;
/// use vfio_user::EventFd;
///
/// let interrupt = EventFd::new()?;
/// interrupt.signal();
/// interrupt.signal();
/// assert_eq!(interrupt.wait(Duration::ZERO)?, Some(2));
/// assert_eq!(interrupt.take(), None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// A new counter at 0.
    ///
    /// # Errors
    ///
    /// Those of `eventfd(2)`; what the kernel lacks.
    pub fn new() -> io::Result<Self> {
        sys::prepare_signals()?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let fd = NixEventFd::from_value_and_flags(0, flags)?;
        Ok(EventFd(fd.into()))
    }

    /// Takes over a counter from somebody else. It may be blocking, and full: neither keeps
    /// [`signal`](Self::signal) or [`take`](Self::take) waiting. It stays as it is, because its mode is
    /// shared with whoever has sent it, and may wait for it by reading.
    ///
    /// # Errors
    ///
    /// EINVAL if it is something else than an eventfd; what the kernel lacks.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        sys::prepare_signals()?;
        if Self::is_one(&fd) { Ok(EventFd(fd)) } else { Err(Errno::EINVAL.into()) }
    }

    /// Whether a descriptor is of an eventfd.
    pub(crate) fn is_one(fd: &OwnedFd) -> bool {
        sys::is_eventfd(fd.as_fd())
    }

    /// Adds one. At its maximum, `u64::MAX`, the counter stays as it is: the event is pending already.
    pub fn signal(&self) {
        sys::signal([self.as_fd()]);
    }

    /// Signals each of them, with fewer system calls.
    pub(crate) fn signal_all<'a>(all: impl IntoIterator<Item = &'a EventFd>) {
        sys::signal(all.into_iter().map(AsFd::as_fd));
    }

    /// The count since it was last taken, or `None` if that is 0.
    pub fn take(&self) -> Option<u64> {
        let mut count = [0; 8];
        match sys::read_now(self.as_fd(), &mut count) {
            Ok(8) => Some(u64::from_ne_bytes(count)),
            _ => None,
        }
    }

    /// Waits for a count, at most `timeout`, and takes it. Returns `None` once that time is over, and
    /// not before.
    ///
    /// # Errors
    ///
    /// Those of `ppoll(2)`.
    pub fn wait(&self, timeout: Duration) -> io::Result<Option<u64>> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let is_ready = wait_for(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], left)?;
            let count = self.take();
            // Another handle may have taken it meanwhile.
            if count.is_some() || !is_ready {
                return Ok(count);
            }
        }
    }

    /// Another handle to the same counter.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(EventFd(self.0.try_clone()?))
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<EventFd> for OwnedFd {
    fn from(eventfd: EventFd) -> Self {
        eventfd.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_without_a_signal_takes_its_time_and_no_less() {
        let eventfd = EventFd::new().unwrap();
        for micros in [0, 1, 400, 999, 1_500] {
            let (start, timeout) = (Instant::now(), Duration::from_micros(micros));
            assert_eq!(eventfd.wait(timeout).unwrap(), None);
            assert!(start.elapsed() >= timeout, "{:?} for {timeout:?}", start.elapsed());
        }
    }

    #[test]
    fn a_wait_of_any_length_ends_with_a_signal() {
        let eventfd = EventFd::new().unwrap();
        for timeout in [Duration::ZERO, Duration::from_micros(10), Duration::MAX] {
            eventfd.signal();
            assert_eq!(eventfd.wait(timeout).unwrap(), Some(1));
        }
    }
}
