//! Event counters of the kernel, which carry interrupts and wake-ups across processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd as NixEventFd};

use crate::fds::PeerFd;
use crate::sys;
use crate::wait::wait_for;

/// A non-blocking eventfd (`eventfd(2)`).
///
/// Neither [`signal`](Self::signal) nor [`take`](Self::take) ever waits, even if another process
/// that shares the counter fills it or changes its mode. This needs Linux 5.8 or later, with
/// asynchronous I/O (`CONFIG_AIO`). Both also work in a child of `fork(2)`.
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
    /// Creates a counter at 0.
    ///
    /// # Errors
    ///
    /// Those of `eventfd(2)`, and an error that names a feature that the kernel lacks.
    pub fn new() -> io::Result<Self> {
        sys::prepare_signals()?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let fd = NixEventFd::from_value_and_flags(0, flags)?;
        Ok(EventFd(fd.into()))
    }

    /// Takes ownership of an existing eventfd. The eventfd may be blocking, and full:
    /// [`signal`](Self::signal) and [`take`](Self::take) do not wait in either case. Its mode does
    /// not change, because the sender shares it and may wait for the counter by reading.
    ///
    /// # Errors
    ///
    /// EINVAL if the descriptor is not an eventfd, and an error that names a feature that the
    /// kernel lacks.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        sys::prepare_signals()?;
        if sys::is_eventfd(fd.as_fd()) { Ok(EventFd(fd)) } else { Err(Errno::EINVAL.into()) }
    }

    /// As [`from_fd`](Self::from_fd), of what a peer has sent: what it is of does not matter until
    /// it is known to be an eventfd.
    pub(crate) fn from_peer(fd: PeerFd) -> io::Result<Self> {
        sys::prepare_signals()?;
        fd.into_known(sys::is_eventfd).map(EventFd).ok_or_else(|| Errno::EINVAL.into())
    }

    /// Adds one to the counter. At its maximum, `u64::MAX`, the counter does not change: the event
    /// is already pending.
    pub fn signal(&self) {
        sys::signal([self.as_fd()]);
    }

    /// Signals each eventfd, with fewer system calls than one by one.
    pub(crate) fn signal_all<'a>(all: impl IntoIterator<Item = &'a EventFd>) {
        sys::signal(all.into_iter().map(AsFd::as_fd));
    }

    /// Returns the count since it was last taken, or `None` if it is 0.
    pub fn take(&self) -> Option<u64> {
        let mut count = [0; 8];
        match sys::read_now(self.as_fd(), &mut count) {
            Ok(8) => Some(u64::from_ne_bytes(count)),
            _ => None,
        }
    }

    /// Waits for a count for at most `timeout`, and takes it. Returns `None` when the time has
    /// passed, and not earlier.
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
            // Another handle may have taken the count meanwhile.
            if count.is_some() || !is_ready {
                return Ok(count);
            }
        }
    }

    /// Returns another handle to the same counter.
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
