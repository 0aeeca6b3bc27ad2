//! The twin socket, which carries only the requests of the server to the client.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::error::SessionError;
use super::poller::Interest;
use super::records::ConnectionRecord;
use super::reverse_requests::{fail_all, on_reply, send_pending};
use crate::fds::{CloseQueue, PeerSocket};
use crate::function::Function;
use crate::parcel::{Packing, Unpacking};
use crate::protocol::{MAX_MESSAGE_SIZE, MessageType};
use crate::transport::{Outbox, Receiver};

/// The server's end of the twin socket.
pub(super) struct Twin {
    socket: Arc<PeerSocket>,
    receiver: Receiver,
    outbox: Outbox,
    /// Whether the client has room for more bytes.
    has_room: bool,
}

impl Twin {
    /// Creates both ends; the second one is for the client, whose descriptors are closed on this
    /// queue.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(super) fn pair(close_queue: &CloseQueue) -> io::Result<(Self, OwnedFd)> {
        let (socket, theirs) = UnixStream::pair()?;
        let socket = Arc::new(PeerSocket::new(socket, close_queue));
        let receiver = Receiver::new(MAX_MESSAGE_SIZE, close_queue);
        let twin = Twin { socket, receiver, outbox: Outbox::default(), has_room: true };
        Ok((twin, theirs.into()))
    }

    pub(super) fn socket(&self) -> &Arc<PeerSocket> {
        &self.socket
    }

    /// Returns the events to wait for.
    pub(super) fn interest(&self) -> Interest {
        if self.has_room { Interest::Read } else { Interest::Write }
    }

    /// Receives available answers and sends further requests, without waiting. Returns the reason
    /// if the socket is not usable any more; then all pending requests have ended.
    ///
    /// # Errors
    ///
    /// When the device panics.
    pub(super) fn turn(
        &mut self,
        function: &mut dyn Function,
        has_answers: bool,
    ) -> Result<Option<SessionError>, SessionError> {
        let heard = if has_answers { self.on_reply(function) } else { Ok(()) };
        match heard.and_then(|()| self.send_pending(function)) {
            Err(SessionError::Panicked) => Err(SessionError::Panicked),
            Ok(()) => Ok(None),
            Err(error) => {
                fail_all(function)?;
                Ok(Some(error))
            }
        }
    }

    fn on_reply(&mut self, function: &mut dyn Function) -> Result<(), SessionError> {
        match self.receiver.fill(self.socket.as_fd(), true) {
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(incoming) = self.receiver.next()? {
            if incoming.header().message_type() == Some(MessageType::Reply) {
                on_reply(function, &mut self.outbox, &incoming)?;
            }
        }
        Ok(())
    }

    fn send_pending(&mut self, function: &mut dyn Function) -> Result<(), SessionError> {
        let Twin { socket, outbox, has_room, .. } = self;
        send_pending(function, outbox, |outbox| outbox.flush(socket.as_fd()))?;
        *has_room = outbox.flush(socket.as_fd())?;
        Ok(())
    }
}

impl Twin {
    /// Returns whether nothing is left to send.
    pub(super) fn is_sent(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Adds the server's end to a parcel.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(super) fn pack(&self, parcel: &mut Packing) -> io::Result<ConnectionRecord> {
        let unhandled = self.receiver.pack(parcel)?;
        Ok(ConnectionRecord { socket: parcel.add(self.socket.try_clone()?), unhandled })
    }

    /// Continues with the end of another program.
    ///
    /// # Errors
    ///
    /// If something is not in the parcel.
    pub(super) fn unpack(
        record: &ConnectionRecord,
        parcel: &Unpacking,
        close_queue: &CloseQueue,
    ) -> io::Result<Self> {
        let socket = UnixStream::from(parcel.owned(record.socket)?);
        let socket = Arc::new(PeerSocket::new(socket, close_queue));
        socket.set_handed_over(true);
        let mut receiver = Receiver::new(MAX_MESSAGE_SIZE, close_queue);
        receiver.unpack(&record.unhandled, parcel).map_err(io::Error::other)?;
        Ok(Twin { socket, receiver, outbox: Outbox::default(), has_room: true })
    }
}

/// Returns whether the other end was closed, as by a client that leaves.
pub(super) fn has_left(error: &SessionError) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let SessionError::Io(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}
