//! Connections that have not negotiated a version yet.
//!
//! They do not reach the device: one becomes its client with its first message, or is refused by an
//! error reply if the device has a client. So a connection that sends nothing keeps nothing busy.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::buffers::Buffers;
use super::error::SessionError;
use super::poller::{Interest, Kind, Poller, Token};
use super::shutdown::{Cover, Shutdown};
use crate::protocol::{Errno, MAX_MESSAGE_SIZE, MessageType};
use crate::transport::{Outbox, Receiver};

/// How many connections of a device may be without a version at a time. A later one replaces the
/// oldest: a client sends its version at once.
const MOST: usize = 8;

/// How long a thread that waits for one client alone does not look for other connections: a request
/// costs two system calls then, not three.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// A connection without a version.
pub(super) struct Arrival {
    pub(super) socket: Arc<UnixStream>,
    pub(super) receiver: Receiver,
    pub(super) cover: Cover,
    /// When it is dropped.
    until: Option<Instant>,
    /// Whether the poller waits for it.
    is_watched: bool,
}

/// The connections of a device that have no version, the oldest first.
#[derive(Default)]
pub(super) struct Arrivals(VecDeque<Arrival>);

/// What a connection has sent.
enum Sent {
    /// No whole message yet.
    Part,
    /// Its first message.
    Message,
    /// It was closed, or cannot be understood.
    End(SessionError),
}

impl Arrival {
    /// A new connection, which is dropped if it negotiates no version within `patience`.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used.
    pub(super) fn new(
        socket: UnixStream,
        shutdown: &Shutdown,
        patience: Option<Duration>,
    ) -> io::Result<Self> {
        // While others may come the thread must not sleep for long in a receive.
        socket.set_read_timeout(patience.map(|_| LOOK))?;
        let socket = Arc::new(socket);
        Ok(Arrival {
            cover: shutdown.cover(&socket)?,
            socket,
            receiver: Receiver::new(MAX_MESSAGE_SIZE),
            until: patience.map(|patience| Instant::now() + patience),
            is_watched: false,
        })
    }

    /// Receives what there is, without waiting.
    fn receive(&mut self, buffers: &mut Buffers) -> Sent {
        if self.receiver.has_message() {
            return Sent::Message;
        }
        self.receiver.borrow_buffer(&mut buffers.receive);
        let filled = self.receiver.fill(self.socket.as_fd(), true);
        self.receiver.return_buffer(&mut buffers.receive);
        match filled {
            Ok(0) => Sent::End(SessionError::Left),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                Sent::End(SessionError::Left)
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => Sent::End(error.into()),
            _ if self.receiver.has_message() => Sent::Message,
            _ => Sent::Part,
        }
    }

    /// Answers its first message with an error. What the socket does not take at once is lost.
    pub(super) fn refuse(mut self, errno: Errno) {
        let mut outbox = Outbox::default();
        if let Ok(Some(incoming)) = self.receiver.next()
            && incoming.header().message_type() == Some(MessageType::Command)
        {
            outbox.reply(incoming.header()).finish(Err(errno));
        }
        // The connection ends in any case.
        let _ = outbox.flush(self.socket.as_fd());
    }

    fn is_late(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn leave(&mut self, poller: &Poller) {
        if std::mem::take(&mut self.is_watched) {
            poller.remove(self.socket.as_fd());
        }
    }
}

impl Arrivals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in a connection; gives the one that it replaces.
    pub(super) fn push(&mut self, poller: &Poller, arrival: Arrival) -> Option<Arrival> {
        self.0.push_back(arrival);
        if self.0.len() > MOST { self.take(0, poller) } else { None }
    }

    /// Receives what the connections have sent, without waiting. Those that ended or are late are
    /// removed, and given to `dropped` with the reason.
    pub(super) fn receive(
        &mut self,
        poller: &Poller,
        buffers: &mut Buffers,
        mut dropped: impl FnMut(SessionError),
    ) {
        let now = Instant::now();
        self.0.retain_mut(|arrival| {
            let end = match arrival.receive(buffers) {
                Sent::End(error) => error,
                Sent::Part if arrival.is_late(now) => SessionError::Silent,
                Sent::Part | Sent::Message => return true,
            };
            arrival.leave(poller);
            dropped(end);
            false
        });
    }

    /// Takes out the oldest connection whose first message is there.
    pub(super) fn take_ready(&mut self, poller: &Poller) -> Option<Arrival> {
        let is_ready = |arrival: &Arrival| arrival.receiver.has_message();
        let place = self.0.iter().position(is_ready)?;
        self.take(place, poller)
    }

    /// Takes out a connection whose first message is there and that has waited for as long as it may.
    pub(super) fn take_late(&mut self, poller: &Poller) -> Option<Arrival> {
        let now = Instant::now();
        let is_late = |arrival: &Arrival| arrival.receiver.has_message() && arrival.is_late(now);
        let place = self.0.iter().position(is_late)?;
        self.take(place, poller)
    }

    fn take(&mut self, place: usize, poller: &Poller) -> Option<Arrival> {
        let mut arrival = self.0.remove(place)?;
        arrival.leave(poller);
        Some(arrival)
    }

    /// When the first of them is late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|arrival| arrival.until).min()
    }

    /// Lets the poller wait for those whose first message is not there.
    pub(super) fn watch(&mut self, poller: &Poller, port: usize) -> io::Result<()> {
        for arrival in &mut self.0 {
            let wanted = !arrival.receiver.has_message();
            match (arrival.is_watched, wanted) {
                (false, true) => {
                    let token = Token::Port(port, Kind::Arrival);
                    poller.add(arrival.socket.as_fd(), token, Interest::Read)?;
                    arrival.is_watched = true;
                }
                (true, false) => arrival.leave(poller),
                _ => {}
            }
        }
        Ok(())
    }

    /// Drops all of them.
    pub(super) fn clear(&mut self, poller: &Poller) {
        self.0.drain(..).for_each(|mut arrival| arrival.leave(poller));
    }
}

/// Whether the other end of a connection is closed; some of what it has sent may not be received yet.
pub(super) fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|events| events.intersects(gone))
}
