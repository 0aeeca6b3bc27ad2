//! Connections that have not negotiated a version yet.
//!
//! They do not reach the device. A connection becomes the device's client with its first message,
//! or receives an error reply if the device has a client. So a connection that sends nothing blocks
//! nothing.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::buffers::Buffers;
use super::error::SessionError;
use super::poller::{EndpointFd, Interest, Poller, Token};
use super::records::ConnectionRecord;
use super::shutdown::{Shutdown, ShutdownGuard};
use crate::fds::PeerSocket;
use crate::parcel::{Packing, Unpacking};
use crate::protocol::{Errno, MessageType};
use crate::transport::{Outbox, Receiver};

/// The maximum number of connections of a device without a version. A later one replaces the
/// oldest, because a client sends its version at once.
const MOST: usize = 8;

/// The interval at which a thread that waits for a single client checks for other connections: a
/// request then costs two system calls, not three.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A connection without a version.
pub(super) struct Arrival {
    pub(super) socket: Arc<PeerSocket>,
    pub(super) receiver: Receiver,
    /// Absent while another program has the connection.
    pub(super) guard: Option<ShutdownGuard>,
    /// The time at which it is dropped.
    until: Option<Instant>,
    /// Whether it is registered with the poller.
    is_watched: bool,
}

/// The connections of a device without a version, the oldest first.
#[derive(Default)]
pub(super) struct Arrivals(VecDeque<Arrival>);

/// The data that a connection has sent.
enum Sent {
    /// Not a whole message yet.
    Part,
    /// Its first message.
    Message,
    /// It was closed, or its data is malformed.
    End(SessionError),
}

impl Arrival {
    /// Creates a connection, which is dropped if it negotiates no version within `patience`.
    ///
    /// # Errors
    ///
    /// An error if the socket cannot be used.
    pub(super) fn new(
        socket: UnixStream,
        shutdown: &Shutdown,
        patience: Option<Duration>,
        receiver: Receiver,
    ) -> io::Result<Self> {
        // While other connections may arrive, the thread must not sleep long in a receive.
        socket.set_read_timeout(patience.map(|_| CHECK_INTERVAL))?;
        let socket = Arc::new(PeerSocket::new(socket, receiver.close_queue()));
        Ok(Arrival {
            guard: Some(shutdown.guard(&socket)?),
            socket,
            receiver,
            until: patience.map(|patience| Instant::now() + patience),
            is_watched: false,
        })
    }

    /// Takes a connection of another program, which keeps it until [`start`](Arrivals::start).
    ///
    /// # Errors
    ///
    /// If something is not in the parcel.
    pub(super) fn unpack(
        record: &ConnectionRecord,
        parcel: &Unpacking,
        patience: Option<Duration>,
        mut receiver: Receiver,
    ) -> io::Result<Self> {
        receiver.unpack(&record.unhandled, parcel).map_err(io::Error::other)?;
        let socket = UnixStream::from(parcel.owned(record.socket)?);
        let socket = PeerSocket::new(socket, receiver.close_queue());
        socket.set_handed_over(true);
        Ok(Arrival {
            guard: None,
            socket: Arc::new(socket),
            receiver,
            until: patience.map(|patience| Instant::now() + patience),
            is_watched: false,
        })
    }

    /// Receives available data, without waiting.
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

    /// Answers the first message with an error. Bytes that the socket does not accept at once are
    /// lost.
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

    /// Adds a connection of another program, which had no more than one may have.
    pub(super) fn add(&mut self, arrival: Arrival) {
        self.0.push_back(arrival);
    }

    /// Adds a connection; returns the one that it replaces.
    pub(super) fn push(&mut self, poller: &Poller, arrival: Arrival) -> Option<Arrival> {
        self.0.push_back(arrival);
        if self.0.len() > MOST { self.take(0, poller) } else { None }
    }

    /// Receives from the connections, without waiting. Removes those that ended or are late, and
    /// passes them to `dropped` with the reason.
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

    /// Takes out the oldest connection whose first message has arrived.
    pub(super) fn take_ready(&mut self, poller: &Poller) -> Option<Arrival> {
        let is_ready = |arrival: &Arrival| arrival.receiver.has_message();
        let index = self.0.iter().position(is_ready)?;
        self.take(index, poller)
    }

    /// Takes out a connection whose first message has arrived and whose time has passed.
    pub(super) fn take_late(&mut self, poller: &Poller) -> Option<Arrival> {
        let now = Instant::now();
        let is_late = |arrival: &Arrival| arrival.receiver.has_message() && arrival.is_late(now);
        let index = self.0.iter().position(is_late)?;
        self.take(index, poller)
    }

    fn take(&mut self, index: usize, poller: &Poller) -> Option<Arrival> {
        let mut arrival = self.0.remove(index)?;
        arrival.leave(poller);
        Some(arrival)
    }

    /// Returns the earliest time at which one is late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|arrival| arrival.until).min()
    }

    /// Registers the connections whose first message has not arrived with the poller.
    pub(super) fn watch(&mut self, poller: &Poller, endpoint: usize) -> io::Result<()> {
        for arrival in &mut self.0 {
            let wanted = !arrival.receiver.has_message();
            match (arrival.is_watched, wanted) {
                (false, true) => {
                    let token = Token::Endpoint(endpoint, EndpointFd::Arrival);
                    poller.add(arrival.socket.as_fd(), token, Interest::Read)?;
                    arrival.is_watched = true;
                }
                (true, false) => arrival.leave(poller),
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds all connections to a parcel.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(super) fn pack(&self, parcel: &mut Packing) -> io::Result<Vec<ConnectionRecord>> {
        let pack = |arrival: &Arrival| {
            let unhandled = arrival.receiver.pack(parcel)?;
            Ok(ConnectionRecord { socket: parcel.add(arrival.socket.try_clone()?), unhandled })
        };
        self.0.iter().map(pack).collect()
    }

    /// Keeps a shutdown from reaching the connections.
    pub(super) fn unguard(&mut self) {
        self.0.iter_mut().for_each(|arrival| arrival.guard = None);
    }

    /// Owns the connections, which another program may have had.
    pub(super) fn start(&mut self, shutdown: &Shutdown) {
        for arrival in &mut self.0 {
            arrival.socket.set_handed_over(false);
            // It fails only if the connection has ended.
            arrival.guard = shutdown.guard(&arrival.socket).ok();
        }
    }

    /// Leaves all connections to another program.
    pub(super) fn abandon(&mut self, poller: &Poller) {
        self.0.iter().for_each(|arrival| arrival.socket.set_handed_over(true));
        self.clear(poller);
    }

    /// Drops all connections.
    pub(super) fn clear(&mut self, poller: &Poller) {
        self.0.drain(..).for_each(|mut arrival| arrival.leave(poller));
    }
}

/// Returns whether the other end of a connection is closed; received data may still be pending.
pub(super) fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|events| events.intersects(gone))
}
