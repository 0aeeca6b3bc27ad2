//! Requests and their answers over one socket.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tracing::debug;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{Error, Result};
use crate::protocol::{Command, Errno, Header, MAX_MESSAGE_SIZE, MessageType};
use crate::transport::{Incoming, Receiver, send_all};

/// A socket to a server.
#[derive(Debug)]
pub(super) struct Connection {
    socket: UnixStream,
    receiver: Receiver,
    timeout: Duration,
    last_id: u16,
    /// A request was given up; its answer may still come, so nothing more can be asked.
    broken: bool,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    command: Command,
    pub(super) payload: &'a [u8],
    pub(super) fds: Vec<OwnedFd>,
}

impl Answer<'_> {
    /// The fixed part of the payload.
    pub(super) fn fixed<T>(&self) -> Result<&T>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        let (got, least) = (self.payload.len(), size_of::<T>());
        T::ref_from_prefix(self.payload).map(|(fixed, _)| fixed).map_err(|_| Error::Malformed {
            command: self.command,
            problem: format!("{got} bytes of payload, fewer than {least}"),
        })
    }
}

impl Connection {
    pub(super) fn new(socket: UnixStream, timeout: Duration) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_write_timeout(Some(timeout))?;
        socket.set_read_timeout(Some(timeout))?;
        Ok(Connection {
            socket,
            receiver: Receiver::new(MAX_MESSAGE_SIZE),
            timeout,
            last_id: 0,
            broken: false,
            request: Vec::new(),
            answer: Vec::new(),
        })
    }

    /// Sends a request whose payload consists of `parts`, and waits for the answer.
    pub(super) fn request(
        &mut self,
        command: Command,
        parts: &[&[u8]],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Answer<'_>> {
        if self.broken {
            return Err(Error::Disconnected);
        }
        self.broken = true;
        self.send(command, parts, fds, false)?;
        let (header, fds) = self.wait(command)?;
        self.broken = false;
        match header.errno() {
            Some(errno) => Err(Error::Refused { command, errno }),
            None => Ok(Answer { command, payload: &self.answer, fds }),
        }
    }

    /// Sends a request that wants no answer.
    pub(super) fn post(&mut self, command: Command, parts: &[&[u8]]) -> Result<()> {
        if self.broken {
            return Err(Error::Disconnected);
        }
        self.broken = true;
        self.send(command, parts, &[], true)?;
        self.broken = false;
        Ok(())
    }

    /// Sends a request in one piece: some servers want it so.
    fn send(
        &mut self,
        command: Command,
        parts: &[&[u8]],
        fds: &[BorrowedFd<'_>],
        no_reply: bool,
    ) -> Result<()> {
        self.last_id = self.last_id.wrapping_add(1);
        let payload = parts.iter().map(|part| part.len()).sum();
        let header = Header::request(self.last_id, command, payload, no_reply);
        self.request.clear();
        self.request.extend_from_slice(header.as_bytes());
        for part in parts {
            self.request.extend_from_slice(part);
        }
        send_all(self.socket.as_fd(), &self.request, fds, &|| false)
            .map_err(|error| failure(error, command))
    }

    /// Waits for the answer to the last request; its payload goes to `self.answer`.
    fn wait(&mut self, command: Command) -> Result<(Header, Vec<OwnedFd>)> {
        let start = Instant::now();
        loop {
            while let Some(incoming) = self.receiver.next()? {
                match incoming {
                    Incoming::TooLarge(header) if answers(&header, self.last_id) => {
                        let problem = format!("{} bytes", header.total_size());
                        return Err(Error::Malformed { command, problem });
                    }
                    Incoming::Message(message) if answers(&message.header, self.last_id) => {
                        check(&message.header, command)?;
                        self.answer.clear();
                        self.answer.extend_from_slice(message.payload);
                        return Ok((message.header, message.fds));
                    }
                    Incoming::TooLarge(header) => refuse(&self.socket, &header)?,
                    Incoming::Message(message) => refuse(&self.socket, &message.header)?,
                }
            }
            if start.elapsed() >= self.timeout {
                return Err(Error::Timeout(command));
            }
            match self.receiver.fill(self.socket.as_fd(), false) {
                Ok(0) => return Err(Error::Disconnected),
                Ok(_) => {}
                Err(error) => return Err(failure(error, command)),
            }
        }
    }
}

fn answers(header: &Header, id: u16) -> bool {
    header.message_type() == Some(MessageType::Reply) && header.message_id.get() == id
}

fn check(header: &Header, asked: Command) -> Result<()> {
    if header.command.get() == u16::from(asked) {
        return Ok(());
    }
    let problem = format!("it names command {}", header.command.get());
    Err(Error::Malformed { command: asked, problem })
}

/// Answers a request of the server's, none of which this client serves; other messages are dropped.
fn refuse(socket: &UnixStream, header: &Header) -> Result<()> {
    debug!(command = header.command.get(), id = header.message_id.get(), "unexpected message");
    if header.message_type() == Some(MessageType::Command) && !header.no_reply() {
        let reply = header.error_reply(Errno::ENOSYS);
        send_all(socket.as_fd(), reply.as_bytes(), &[], &|| false)?;
    }
    Ok(())
}

fn failure(error: io::Error, command: Command) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(command),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Error::Disconnected,
        _ => Error::Io(error),
    }
}
