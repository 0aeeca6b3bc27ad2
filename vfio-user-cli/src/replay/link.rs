//! The connection to a server, with its second socket. Every wait ends in time, whatever the server
//! does.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::stream::{Arrived, Stream};
use crate::message::Decoded;
use crate::socket;

/// The sockets of a connection.
pub(super) struct Link {
    main: Stream,
    /// The second socket, on which the server sends its commands.
    twin: Option<Stream>,
    /// The time for the server to send or to receive a message.
    timeout: Duration,
    buffer: Vec<u8>,
}

/// Why a message does not arrive, or cannot be sent.
#[derive(Debug)]
pub(super) enum Stop {
    Late,
    /// The server has closed the connection.
    Closed,
    /// The server has sent something that is no message.
    Unframed,
    /// An error that is none of the server.
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Stop::Closed,
            _ => Stop::Io(error),
        }
    }
}

impl Link {
    pub(super) fn new(server: UnixStream, timeout: Duration) -> Self {
        Link { main: Stream::new(server), twin: None, timeout, buffer: vec![0; 64 << 10] }
    }

    pub(super) fn has_twin(&self) -> bool {
        self.twin.is_some()
    }

    pub(super) fn set_twin(&mut self, socket: UnixStream) {
        self.twin = Some(Stream::new(socket));
    }

    /// Sends bytes, on the second socket if there is one and `on_twin`. Receives meanwhile: a
    /// server may stop receiving while its replies are not received.
    pub(super) fn send(
        &mut self,
        on_twin: bool,
        bytes: &[u8],
        fds: &[OwnedFd],
    ) -> Result<(), Stop> {
        let deadline = Instant::now() + self.timeout;
        let on_twin = on_twin && self.has_twin();
        let (mut bytes, mut fds) = (bytes, fds);
        while !bytes.is_empty() {
            let stream = self.twin.as_ref().filter(|_| on_twin).unwrap_or(&self.main);
            match socket::send_some(&stream.socket, bytes, fds, false) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.poll(deadline, Some(on_twin))?;
                }
                sent => (bytes, fds) = (&bytes[sent?..], &[]),
            }
        }
        Ok(())
    }

    /// Says to the server that the client sends no more.
    pub(super) fn close(&self) {
        // An error means that the server has closed the connection.
        drop(self.main.socket.shutdown(Shutdown::Write));
    }

    /// Waits for a message; returns whether it came on the second socket.
    pub(super) fn wait(
        &mut self,
        is_wanted: impl Fn(&Decoded) -> bool,
    ) -> Result<(Arrived, bool), Stop> {
        let deadline = Instant::now() + self.timeout;
        loop {
            if let Some(found) = self.take(|arrived| is_wanted(&arrived.message)) {
                return Ok(found);
            }
            if self.streams().any(|stream| stream.is_broken) {
                return Err(Stop::Unframed);
            }
            if self.main.is_closed {
                return Err(Stop::Closed);
            }
            self.poll(deadline, None)?;
        }
    }

    /// Takes a message that has arrived; returns whether it came on the second socket.
    pub(super) fn take(&mut self, is_wanted: impl Fn(&Arrived) -> bool) -> Option<(Arrived, bool)> {
        let main = self.main.take(&is_wanted).map(|arrived| (arrived, false));
        let twin = || Some((self.twin.as_mut()?.take(&is_wanted)?, true));
        main.or_else(twin)
    }

    /// Receives what is there, and marks all that has arrived.
    pub(super) fn mark(&mut self) -> Result<(), Stop> {
        let Link { main, twin, buffer, .. } = self;
        for stream in std::iter::once(main).chain(twin) {
            if stream.is_open() {
                stream.fill(buffer)?;
            }
            stream.mark();
        }
        Ok(())
    }

    /// Waits until something arrives, and receives it, or until a socket has room.
    fn poll(&mut self, deadline: Instant, sends_on_twin: Option<bool>) -> Result<(), Stop> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Stop::Late);
        }
        let events = |stream: &Stream, is_twin: bool| {
            let input = if stream.is_open() { PollFlags::POLLIN } else { PollFlags::empty() };
            let is_sender = sends_on_twin == Some(is_twin);
            if is_sender { input | PollFlags::POLLOUT } else { input }
        };
        let mut fds: Vec<_> = self
            .streams()
            .zip([false, true])
            .filter(|(stream, is_twin)| !events(stream, *is_twin).is_empty())
            .map(|(stream, is_twin)| PollFd::new(stream.socket.as_fd(), events(stream, is_twin)))
            .collect();
        // Rounded up, so that the last wait is not a busy one.
        let timeout = PollTimeout::try_from(left + Duration::from_millis(1));
        match poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Stop::Io(error.into())),
        }
        drop(fds);
        let Link { main, twin, buffer, .. } = self;
        let mut streams = std::iter::once(main).chain(twin).filter(|stream| stream.is_open());
        Ok(streams.try_for_each(|stream| stream.fill(buffer))?)
    }

    fn streams(&self) -> impl Iterator<Item = &Stream> {
        std::iter::once(&self.main).chain(&self.twin)
    }
}
