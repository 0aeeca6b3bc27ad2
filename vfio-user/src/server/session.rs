//! One client, from its first byte to its last.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tracing::debug;

use super::handlers::{self, Request};
use super::poller::Poller;
use super::shutdown::{Cover, Shutdown};
use crate::device::Function;
use crate::protocol::{Capabilities, Command, Errno, Header, MAX_MESSAGE_SIZE, MessageType};
use crate::transport::{FramingError, Incoming, Message, Outbox, Receiver, Reply};

/// How often a send that the client does not take looks whether the server is to end.
const SEND_PATIENCE: Duration = Duration::from_millis(500);

/// Why a client was dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error("its first message did not negotiate a version")]
    NotNegotiated,
    #[error("no version could be agreed on")]
    Version,
    #[error("a hook panicked")]
    Panicked,
}

impl From<nix::errno::Errno> for SessionError {
    fn from(errno: nix::errno::Errno) -> Self {
        SessionError::Io(errno.into())
    }
}

/// One client's connection.
pub(super) struct Session<'a> {
    socket: UnixStream,
    receiver: Receiver,
    outbox: Outbox,
    function: &'a mut dyn Function,
    shutdown: &'a Shutdown,
    /// What the client can do, once a version is agreed on.
    client: Option<Capabilities>,
    poller: Poller,
    _cover: Cover<'a>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        socket: UnixStream,
        function: &'a mut dyn Function,
        shutdown: &'a Shutdown,
    ) -> Result<Self, SessionError> {
        socket.set_write_timeout(Some(SEND_PATIENCE))?;
        let cover = shutdown.cover(&socket)?;
        Ok(Session {
            socket,
            receiver: Receiver::new(MAX_MESSAGE_SIZE),
            outbox: Outbox::default(),
            function,
            shutdown,
            client: None,
            poller: Poller::default(),
            _cover: cover,
        })
    }

    /// Serves until the client leaves or the server is shut down.
    pub(super) fn run(mut self) -> Result<(), SessionError> {
        while self.receive()? {
            let handled = self.handle_all();
            // Of the two failures the first one counts: a panic must not be hidden.
            let flushed = self.flush();
            handled?;
            flushed?;
        }
        Ok(())
    }

    /// Waits for the client's next bytes, and does the function's own work meanwhile; `false` when
    /// the client is gone.
    fn receive(&mut self) -> Result<bool, SessionError> {
        loop {
            let poll = self.poller.refresh(self.socket.as_fd(), self.function)?;
            let busy = self.function.has_work();
            if busy {
                guarded(|| self.function.work())?;
            }
            if poll && !guarded(|| self.poller.wait(self.function, !busy))?? {
                continue;
            }
            // With nothing else to wait for, the receive itself waits.
            match self.receiver.fill(self.socket.as_fd(), busy || poll) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Handles every message that is complete.
    fn handle_all(&mut self) -> Result<(), SessionError> {
        let go_on = || !self.shutdown.is_requested();
        while let Some(incoming) = self.receiver.next()? {
            let (Incoming::Message(Message { header, .. }) | Incoming::TooLarge(header)) = incoming;
            if header.message_type() != Some(MessageType::Command) {
                debug!(id = header.message_id.get(), "a reply to nothing was ignored");
                continue;
            }
            let mut reply = self.outbox.reply(header);
            let answer = match incoming {
                Incoming::TooLarge(_) if self.client.is_none() => Err(Refusal::NOT_NEGOTIATED),
                Incoming::TooLarge(_) => Err(Refusal::Request(Errno::E2BIG)),
                Incoming::Message(message) => {
                    answer(&mut *self.function, &mut self.client, message, &mut reply)
                }
            };
            let (result, outcome) = split(&header, answer);
            let finished = reply.finish(result, self.socket.as_fd(), &go_on);
            outcome?;
            finished?;
            let work = self.function.has_work();
            if work || self.outbox.is_full() {
                self.outbox.flush(self.socket.as_fd(), &go_on)?;
            }
            if work {
                guarded(|| self.function.work())?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outbox.flush(self.socket.as_fd(), &|| !self.shutdown.is_requested())
    }
}

/// Why a request was not done.
enum Refusal {
    /// It is answered with an error, and the next one may do better.
    Request(Errno),
    /// It is answered with an error, and the client is dropped.
    Session(Errno, SessionError),
}

impl Refusal {
    const NOT_NEGOTIATED: Self = Refusal::Session(Errno::EINVAL, SessionError::NotNegotiated);
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Request(errno)
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        Refusal::Session(Errno::EIO, error)
    }
}

/// Does what a request asks for and fills in the reply.
fn answer(
    function: &mut dyn Function,
    client: &mut Option<Capabilities>,
    message: Message<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Refusal> {
    let Message { header, payload, fds } = message;
    let command = header.command().map_err(|_| Errno::EINVAL);
    let Some(capabilities) = client else {
        if command != Ok(Command::Version) {
            return Err(Refusal::NOT_NEGOTIATED);
        }
        let agreed = handlers::version(payload, &fds, reply);
        let agreed = agreed.map_err(|errno| Refusal::Session(errno, SessionError::Version))?;
        *client = Some(agreed);
        return Ok(guarded(|| function.connected())?);
    };
    let mut request = Request { payload, fds, client: capabilities };
    let handler = handlers::find(command?).ok_or(Errno::EINVAL)?;
    guarded(|| handler(function, &mut request, reply))??;
    Ok(())
}

/// Runs code of the device's author, whose panic ends the session and not the server.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, SessionError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| SessionError::Panicked)
}

/// What the client is told, and what becomes of the session.
fn split(
    header: &Header,
    answer: Result<(), Refusal>,
) -> (Result<(), Errno>, Result<(), SessionError>) {
    let (errno, outcome) = match answer {
        Ok(()) => return (Ok(()), Ok(())),
        Err(Refusal::Request(errno)) => (errno, Ok(())),
        Err(Refusal::Session(errno, error)) => (errno, Err(error)),
    };
    debug!(command = header.command.get(), %errno, "request refused");
    (Err(errno), outcome)
}
