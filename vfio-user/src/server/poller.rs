//! The epoll set of a thread, for all of its devices.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::interrupt::ControlId;
use crate::sys;
use crate::wait::time_spec;

/// An epoll set that reports tokens.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: Epoll,
    /// Whether the kernel has refused `epoll_pwait2(2)`.
    is_without_pwait2: Cell<bool>,
    /// Whether a signal has ended a wait.
    is_interrupted: Cell<bool>,
}

/// The owner of a ready descriptor, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A command for the thread itself.
    Queue,
    Shutdown,
    /// In a foreign loop: a deadline has passed, or there is more work.
    Alarm,
    Endpoint(usize, EndpointFd),
}

/// The kind of an endpoint's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointFd {
    Listener,
    Client,
    /// The device has released memory.
    Released,
    /// The function's own work.
    Wake,
    /// The client's second socket.
    Twin,
    /// A connection that has not negotiated yet; the same token for all of them.
    Arrival,
    /// A request of another thread to the client.
    Transfers,
    /// A question of the monitor's thread.
    Monitor,
    /// An eventfd that masks interrupts.
    Control(ControlId),
}

/// The events of a descriptor to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// While there is something to read.
    Read,
    /// While there is room to write.
    Write,
    /// When the descriptor becomes ready anew: a client's counter that does not go to zero when it
    /// is read must not cause a busy loop.
    Edge,
}

/// The maximum number of tokens per wait.
pub(super) const BATCH: usize = 64;

impl Poller {
    pub(super) fn new() -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (is_without_pwait2, is_interrupted) = (Cell::new(false), Cell::new(false));
        Ok(Poller { epoll, is_without_pwait2, is_interrupted })
    }

    /// Notes that a signal has ended a wait, of this poller or for a client's socket.
    pub(super) fn note_interruption(&self) {
        self.is_interrupted.set(true);
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.is_interrupted.get()
    }

    pub(super) fn clear_interruption(&self) {
        self.is_interrupted.set(false);
    }

    pub(super) fn add(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        interest: Interest,
    ) -> nix::Result<()> {
        self.epoll.add(fd, event(token, interest))
    }

    pub(super) fn modify(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        interest: Interest,
    ) -> nix::Result<()> {
        self.epoll.modify(fd, &mut event(token, interest))
    }

    /// Removes a descriptor. Closing it would not suffice, because it may be shared with a client.
    pub(super) fn remove(&self, fd: BorrowedFd<'_>) {
        // It fails only if the set does not hold the descriptor.
        let _ = self.epoll.delete(fd);
    }

    /// Waits for at most `timeout`, to the nanosecond; `None` is for ever.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(Token),
    ) -> nix::Result<usize> {
        let mut events = [EpollEvent::empty(); BATCH];
        let waited = match timeout {
            None => self.epoll.wait(&mut events, EpollTimeout::NONE),
            Some(Duration::ZERO) => self.epoll.wait(&mut events, EpollTimeout::ZERO),
            Some(timeout) => self.wait_for(&mut events, timeout),
        };
        let count = match waited {
            Err(Errno::EINTR) => {
                self.note_interruption();
                0
            }
            waited => waited?,
        };
        events[..count].iter().for_each(|event| ready(Token::decode(event.data())));
        Ok(count)
    }

    /// Waits with one system call since Linux 5.11, with two before. Sandboxes that do not allow
    /// the newer call refuse it with EPERM.
    fn wait_for(&self, events: &mut [EpollEvent], timeout: Duration) -> nix::Result<usize> {
        if !self.is_without_pwait2.get() {
            match sys::epoll_pwait2(self.as_fd(), events, timeout) {
                Err(Errno::ENOSYS | Errno::EPERM) => self.is_without_pwait2.set(true),
                waited => return waited,
            }
        }
        let mut set = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut set, Some(time_spec(timeout)), None)? {
            0 => Ok(0),
            _ => self.epoll.wait(events, EpollTimeout::ZERO),
        }
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

fn event(token: Token, interest: Interest) -> EpollEvent {
    let flags = match interest {
        Interest::Read => EpollFlags::EPOLLIN,
        Interest::Write => EpollFlags::EPOLLOUT,
        Interest::Edge => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
    };
    EpollEvent::new(flags, token.encode())
}

/// The upper half is the endpoint, the lower half the kind of its descriptor.
impl Token {
    const THREAD: u64 = u32::MAX as u64;

    fn encode(self) -> u64 {
        let (endpoint, which) = match self {
            Token::Queue => (Self::THREAD, 0),
            Token::Shutdown => (Self::THREAD, 1),
            Token::Alarm => (Self::THREAD, 2),
            Token::Endpoint(endpoint, EndpointFd::Listener) => (endpoint as u64, 0),
            Token::Endpoint(endpoint, EndpointFd::Client) => (endpoint as u64, 1),
            Token::Endpoint(endpoint, EndpointFd::Wake) => (endpoint as u64, 2),
            Token::Endpoint(endpoint, EndpointFd::Released) => (endpoint as u64, 3),
            Token::Endpoint(endpoint, EndpointFd::Transfers) => (endpoint as u64, 4),
            Token::Endpoint(endpoint, EndpointFd::Twin) => (endpoint as u64, 5),
            Token::Endpoint(endpoint, EndpointFd::Arrival) => (endpoint as u64, 6),
            Token::Endpoint(endpoint, EndpointFd::Monitor) => (endpoint as u64, 7),
            Token::Endpoint(endpoint, EndpointFd::Control(id)) => {
                (endpoint as u64, 8 + u64::from(id.to_bits()))
            }
        };
        endpoint << 32 | which
    }

    #[expect(clippy::cast_possible_truncation, reason = "halves of what `encode` has put together")]
    fn decode(bits: u64) -> Self {
        let (endpoint, which) = (bits >> 32, bits & u64::from(u32::MAX));
        match (endpoint, which) {
            (Self::THREAD, 0) => Token::Queue,
            (Self::THREAD, 1) => Token::Shutdown,
            (Self::THREAD, _) => Token::Alarm,
            (endpoint, 0) => Token::Endpoint(endpoint as usize, EndpointFd::Listener),
            (endpoint, 1) => Token::Endpoint(endpoint as usize, EndpointFd::Client),
            (endpoint, 2) => Token::Endpoint(endpoint as usize, EndpointFd::Wake),
            (endpoint, 3) => Token::Endpoint(endpoint as usize, EndpointFd::Released),
            (endpoint, 4) => Token::Endpoint(endpoint as usize, EndpointFd::Transfers),
            (endpoint, 5) => Token::Endpoint(endpoint as usize, EndpointFd::Twin),
            (endpoint, 6) => Token::Endpoint(endpoint as usize, EndpointFd::Arrival),
            (endpoint, 7) => Token::Endpoint(endpoint as usize, EndpointFd::Monitor),
            (endpoint, n) => {
                let id = ControlId::from_bits(n as u32 - 8);
                Token::Endpoint(endpoint as usize, EndpointFd::Control(id))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::eventfd::EventFd;

    /// A poller that waits for an eventfd, as a recent kernel and as an older one let it.
    fn pollers() -> [(Poller, EventFd); 2] {
        [false, true].map(|is_without_pwait2| {
            let poller = Poller::new().unwrap();
            poller.is_without_pwait2.set(is_without_pwait2);
            let eventfd = EventFd::new().unwrap();
            poller.add(eventfd.as_fd(), Token::Queue, Interest::Read).unwrap();
            (poller, eventfd)
        })
    }

    /// How many tokens there are, and how long it took.
    fn wait(poller: &Poller, timeout: Option<Duration>) -> (usize, Duration) {
        let start = Instant::now();
        let count = poller.wait(timeout, |token| assert_eq!(token, Token::Queue)).unwrap();
        (count, start.elapsed())
    }

    #[test]
    fn a_wait_ends_when_something_is_ready_or_the_time_is_over_and_not_before() {
        for (poller, eventfd) in pollers() {
            for micros in [1, 50, 300, 999, 1_000, 1_001, 2_500] {
                let timeout = Duration::from_micros(micros);
                let (count, waited) = wait(&poller, Some(timeout));
                assert_eq!(count, 0);
                assert!(waited >= timeout, "{waited:?} for {timeout:?}");
            }
            eventfd.signal();
            for timeout in [None, Some(Duration::ZERO), Some(Duration::MAX / 2)] {
                assert_eq!(wait(&poller, timeout).0, 1);
            }
        }
    }

    #[test]
    fn a_wait_is_not_rounded_to_milliseconds() {
        for (poller, _eventfd) in pollers() {
            let shortest =
                (0..200).map(|_| wait(&poller, Some(Duration::from_micros(100))).1).min();
            assert!(shortest.unwrap() < Duration::from_micros(900), "{shortest:?}");
        }
    }

    #[test]
    fn tokens_survive_the_kernel() {
        let kinds = [
            EndpointFd::Listener,
            EndpointFd::Client,
            EndpointFd::Wake,
            EndpointFd::Released,
            EndpointFd::Transfers,
            EndpointFd::Twin,
            EndpointFd::Arrival,
            EndpointFd::Monitor,
            EndpointFd::Control(ControlId::from_bits(0)),
            EndpointFd::Control(ControlId::from_bits(0xffff)),
        ];
        let endpoints = [0, 1, 70_000].into_iter();
        let tokens =
            endpoints.flat_map(|endpoint| kinds.map(|kind| Token::Endpoint(endpoint, kind)));
        for token in tokens.chain([Token::Queue, Token::Shutdown, Token::Alarm]) {
            assert_eq!(Token::decode(token.encode()), token);
        }
    }
}
