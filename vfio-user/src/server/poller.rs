//! What a thread waits for: one epoll set for all of its devices.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// An epoll set, by tokens.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: Epoll,
}

/// Whose descriptor is ready, and which one of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Somebody wants the thread itself.
    Link,
    Shutdown,
    /// In a foreign loop: a time has come, or there is more to do.
    Alarm,
    Port(usize, Kind),
}

/// Which descriptor of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Listener,
    Client,
    /// The device has let go of memory.
    Bell,
    /// The function's own work.
    Wake,
    /// The client's second socket.
    Twin,
    /// A connection that has not negotiated yet: any of them.
    Arrival,
    /// Other threads, to have the client asked.
    Transfers,
    /// An eventfd that masks interrupts, by its place.
    Control(usize),
}

/// How a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// While there is something to read.
    Read,
    /// While there is room to write.
    Write,
    /// When something is there that was not there before: a client's counter that does not go to
    /// zero when it is read must not keep us busy.
    Edge,
}

/// The most tokens that one wait gives.
pub(super) const BATCH: usize = 64;

impl Poller {
    pub(super) fn new() -> nix::Result<Self> {
        Ok(Poller { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
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

    /// Stops waiting for a descriptor. It may be shared with a client, so closing ours would not.
    pub(super) fn remove(&self, fd: BorrowedFd<'_>) {
        // It fails only if the set does not hold it.
        let _ = self.epoll.delete(fd);
    }

    /// Waits for at most `timeout`; `None` is for ever.
    pub(super) fn wait(
        &self,
        timeout: EpollTimeout,
        mut ready: impl FnMut(Token),
    ) -> nix::Result<usize> {
        let mut events = [EpollEvent::empty(); BATCH];
        let count = match self.epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            waited => waited?,
        };
        events[..count].iter().for_each(|event| ready(Token::decode(event.data())));
        Ok(count)
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

/// The upper half is the port, the lower half its descriptor.
impl Token {
    const THREAD: u64 = u32::MAX as u64;

    fn encode(self) -> u64 {
        let (port, which) = match self {
            Token::Link => (Self::THREAD, 0),
            Token::Shutdown => (Self::THREAD, 1),
            Token::Alarm => (Self::THREAD, 2),
            Token::Port(port, Kind::Listener) => (port as u64, 0),
            Token::Port(port, Kind::Client) => (port as u64, 1),
            Token::Port(port, Kind::Wake) => (port as u64, 2),
            Token::Port(port, Kind::Bell) => (port as u64, 3),
            Token::Port(port, Kind::Transfers) => (port as u64, 4),
            Token::Port(port, Kind::Twin) => (port as u64, 5),
            Token::Port(port, Kind::Arrival) => (port as u64, 6),
            Token::Port(port, Kind::Control(n)) => (port as u64, 7 + n as u64),
        };
        port << 32 | which
    }

    #[expect(clippy::cast_possible_truncation, reason = "halves of what `encode` has put together")]
    fn decode(bits: u64) -> Self {
        let (port, which) = (bits >> 32, bits & u64::from(u32::MAX));
        match (port, which) {
            (Self::THREAD, 0) => Token::Link,
            (Self::THREAD, 1) => Token::Shutdown,
            (Self::THREAD, _) => Token::Alarm,
            (port, 0) => Token::Port(port as usize, Kind::Listener),
            (port, 1) => Token::Port(port as usize, Kind::Client),
            (port, 2) => Token::Port(port as usize, Kind::Wake),
            (port, 3) => Token::Port(port as usize, Kind::Bell),
            (port, 4) => Token::Port(port as usize, Kind::Transfers),
            (port, 5) => Token::Port(port as usize, Kind::Twin),
            (port, 6) => Token::Port(port as usize, Kind::Arrival),
            (port, n) => Token::Port(port as usize, Kind::Control(n as usize - 7)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        let kinds = [
            Kind::Listener,
            Kind::Client,
            Kind::Wake,
            Kind::Bell,
            Kind::Transfers,
            Kind::Twin,
            Kind::Arrival,
            Kind::Control(0),
            Kind::Control(4095),
        ];
        let ports = [0, 1, 70_000].into_iter();
        let tokens = ports.flat_map(|port| kinds.map(|kind| Token::Port(port, kind)));
        for token in tokens.chain([Token::Link, Token::Shutdown, Token::Alarm]) {
            assert_eq!(Token::decode(token.encode()), token);
        }
    }
}
