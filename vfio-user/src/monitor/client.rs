//! The other end of a monitor.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::wire::{Message, Page, Reply, Request, VERSION};
use crate::wait::{FOR_EVER, wait_for};

/// The longest reply that is read.
const LONGEST: usize = 1 << 20;
/// The most items of a list.
const MOST_ITEMS: usize = 1 << 20;

/// A connection to a [`Monitor`](super::Monitor).
#[derive(Debug)]
pub struct Client {
    /// Nonblocking.
    stream: UnixStream,
    timeout: Duration,
}

/// The error of a request to a monitor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No whole reply came in time.
    #[error("the monitor does not reply within {0:?}")]
    TimedOut(Duration),
    /// The monitor has closed the connection: it has 16 others, or the program has ended.
    #[error("the monitor closed the connection")]
    Closed,
    /// The reply is no JSON of the expected form.
    #[error("the reply cannot be understood")]
    Malformed(#[from] serde_json::Error),
    /// The reply has more than 1 MiB.
    #[error("the reply is longer than {LONGEST} bytes")]
    TooLong,
    /// The pages of a list have more than 1,048,576 items.
    #[error("the list has more than {MOST_ITEMS} items")]
    TooManyItems,
    /// The monitor has another version of the messages.
    #[error("the monitor has version {0} of the messages, not {VERSION}")]
    Version(u32),
    /// The monitor has refused the request.
    #[error("the monitor refuses: {0}")]
    Refused(String),
    /// The reply is to another request.
    #[error("the reply is not to the request")]
    Mismatch,
}

impl Client {
    /// Connects to a monitor, and waits for each whole reply for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn connect(path: impl AsRef<Path>, timeout: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_nonblocking(true)?;
        Ok(Client { stream, timeout: timeout.min(FOR_EVER) })
    }

    /// Sends a request, and receives the reply. If that fails, the connection is closed: a late
    /// reply cannot be taken for that of another request.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let deadline = Instant::now() + self.timeout;
        let received = self.send(&line, deadline).and_then(|()| self.receive(deadline));
        let line = received.inspect_err(|_| {
            // An error means that it is closed.
            let _ = self.stream.shutdown(Shutdown::Both);
        })?;
        match serde_json::from_slice(&line)? {
            Message { version: VERSION, reply: Reply::Error(reason) } => {
                Err(ClientError::Refused(reason))
            }
            Message { version: VERSION, reply } => Ok(reply),
            Message { version, .. } => Err(ClientError::Version(version)),
        }
    }

    fn send(&mut self, mut line: &[u8], deadline: Instant) -> Result<(), ClientError> {
        while !line.is_empty() {
            match self.stream.write(line) {
                Ok(count) => line = &line[count..],
                Err(error) => self.wait(error, PollFlags::POLLOUT, deadline)?,
            }
        }
        Ok(())
    }

    /// Receives a line. The monitor sends nothing behind it: it has no other request.
    fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, ClientError> {
        let (mut line, mut part) = (Vec::new(), [0; 4096]);
        while line.last() != Some(&b'\n') {
            match self.stream.read(&mut part) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(_) if Instant::now() >= deadline => {
                    return Err(ClientError::TimedOut(self.timeout));
                }
                Ok(count) => line.extend_from_slice(&part[..count]),
                Err(error) => self.wait(error, PollFlags::POLLIN, deadline)?,
            }
            if line.len() > LONGEST {
                return Err(ClientError::TooLong);
            }
        }
        Ok(line)
    }

    /// Waits until what has failed can be done.
    fn wait(
        &self,
        error: io::Error,
        event: PollFlags,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        match error.kind() {
            ErrorKind::Interrupted => return Ok(()),
            ErrorKind::WouldBlock => {}
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => return Err(ClientError::Closed),
            _ => return Err(error.into()),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(self.stream.as_fd(), event)];
        if wait_for(&mut fds, left).map_err(io::Error::from)? {
            Ok(())
        } else {
            Err(ClientError::TimedOut(self.timeout))
        }
    }

    /// Asks for all pages of a list. `request` makes the request for a page, and `page` takes it
    /// out of the reply.
    ///
    /// ```no_run
    /// # use vfio_user::monitor::{Client, ClientError, Reply, Request, Vector};
    /// fn vectors(client: &mut Client) -> Result<Vec<Vector>, ClientError> {
    ///     client.all(|from| Request::Interrupts { from }, |reply| match reply {
    ///         Reply::Interrupts(page) => Some(page),
    ///         _ => None,
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask), and if the pages do not advance, or have too many items.
    pub fn all<T>(
        &mut self,
        request: impl Fn(u64) -> Request,
        page: impl Fn(Reply) -> Option<Page<T>>,
    ) -> Result<Vec<T>, ClientError> {
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let Page { items, next } =
                page(self.ask(&request(from))?).ok_or(ClientError::Mismatch)?;
            let is_empty = items.is_empty();
            all.extend(items);
            if all.len() > MOST_ITEMS {
                return Err(ClientError::TooManyItems);
            }
            match next {
                Some(next) if next > from && !is_empty => from = next,
                Some(_) => return Err(ClientError::Mismatch),
                None => return Ok(all),
            }
        }
    }
}
