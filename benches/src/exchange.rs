//! Requests and their replies, as bytes: what a client costs stays out of the figures.

use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use vfio_user::Server;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command};

use crate::small;

/// An access to a register of 4 bytes.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// With a reply of 36 bytes.
    Read,
    /// With a reply of 32 bytes.
    Write,
}

/// What the client does until the reply arrives.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Sleeps in `read(2)`.
    Sleep,
    /// Calls `read(2)` until there is a reply.
    Poll,
}

/// A client that sends the same request again and again.
#[derive(Debug)]
pub struct Exchange {
    stream: UnixStream,
    request: Vec<u8>,
    reply: Vec<u8>,
    wait: Wait,
}

impl Access {
    fn request(self) -> Vec<u8> {
        match self {
            Access::Read => wire::message(1, command::REGION_READ, 0, &wire::access(0, 0, 4)),
            Access::Write => {
                wire::message(1, command::REGION_WRITE, 0, &wire::write(0, 0, &[1; 4]))
            }
        }
    }

    fn reply_len(self) -> usize {
        let data = match self {
            Access::Read => 4,
            Access::Write => 0,
        };
        wire::HEADER + wire::access(0, 0, 4).len() + data
    }
}

impl Exchange {
    /// Creates a client at one end of a negotiated connection.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn new(stream: UnixStream, access: Access, wait: Wait) -> Result<Self> {
        stream.set_nonblocking(matches!(wait, Wait::Poll))?;
        let reply = vec![0; access.reply_len()];
        Ok(Exchange { stream, request: access.request(), reply, wait })
    }

    /// Returns the nanoseconds of one of `count` exchanges.
    ///
    /// # Errors
    ///
    /// The server has closed the connection.
    pub fn time(&mut self, count: u32) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..count {
            self.stream.write_all(&self.request)?;
            self.receive()?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(count))
    }

    fn receive(&mut self) -> Result<()> {
        let reply = &mut self.reply[..];
        match self.wait {
            Wait::Sleep => self.stream.read_exact(reply),
            Wait::Poll => loop {
                match self.stream.read_exact(reply) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    received => return received,
                }
            },
        }
    }
}

/// Creates a server of a device with 16 registers, and its client's end.
///
/// # Errors
///
/// Those of `socketpair(2)`.
pub fn server(spin: Duration) -> Result<(UnixStream, impl FnOnce() + Send + 'static)> {
    let (client, server) = UnixStream::pair()?;
    let server = Server::from_stream(server).map_err(std::io::Error::other)?.spin(spin);
    let serve = move || {
        // It ends with the client.
        let _ = server.serve(small::Derived::default);
    };
    Ok((client, serve))
}

/// Negotiates a version with a server that runs.
///
/// # Errors
///
/// Those of the socket.
pub fn negotiate(client: &UnixStream) -> Result<()> {
    RawClient::new(client.try_clone()?).negotiate();
    // A timeout costs a timer for each call that waits.
    client.set_read_timeout(None)?;
    client.set_write_timeout(None)
}

/// Answers each request by as many bytes as its reply has, until the client is gone.
pub fn echo(mut stream: &UnixStream, access: Access) {
    let mut request = access.request();
    let reply = vec![0; access.reply_len()];
    while stream.read_exact(&mut request).is_ok() && stream.write_all(&reply).is_ok() {}
}
