//! The other end of a monitor.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::wire::{Message, Page, Reply, Request, VERSION};

/// The longest reply that is read.
const LONGEST: u64 = 1 << 20;

/// A connection to a [`Monitor`](super::Monitor).
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// The error of a request to a monitor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The connection failed, or no reply came in time.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The monitor has closed the connection: it has 16 others, or the program has ended.
    #[error("the monitor closed the connection")]
    Closed,
    /// The reply is no JSON of the expected form.
    #[error("the reply cannot be understood")]
    Malformed(#[from] serde_json::Error),
    /// The reply has more than 1 MiB.
    #[error("the reply is longer than {LONGEST} bytes")]
    TooLong,
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
    /// Connects to a monitor, and waits for each reply for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn connect(path: impl AsRef<Path>, timeout: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends a request, and receives the reply.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        line.clear();
        self.stream.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        match line.last() {
            Some(b'\n') => {}
            _ if line.len() as u64 == LONGEST => return Err(ClientError::TooLong),
            _ => return Err(ClientError::Closed),
        }
        match serde_json::from_slice(&line)? {
            Message { version: VERSION, reply: Reply::Error(reason) } => {
                Err(ClientError::Refused(reason))
            }
            Message { version: VERSION, reply } => Ok(reply),
            Message { version, .. } => Err(ClientError::Version(version)),
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
    /// As [`ask`](Self::ask), and if the pages do not advance.
    pub fn all<T>(
        &mut self,
        request: impl Fn(u64) -> Request,
        page: impl Fn(Reply) -> Option<Page<T>>,
    ) -> Result<Vec<T>, ClientError> {
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let page = page(self.ask(&request(from))?).ok_or(ClientError::Mismatch)?;
            all.extend(page.items);
            match page.next {
                Some(next) if next > from => from = next,
                Some(_) => return Err(ClientError::Mismatch),
                None => return Ok(all),
            }
        }
    }
}
