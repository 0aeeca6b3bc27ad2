//! A server on this thread, whose processor time is measured, and its client.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::{PciDevice, Server, Socket};
use vfio_user_benches::cpu;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command, flag};

/// A request, and what it has to be answered with.
pub(crate) struct Request {
    message: Vec<u8>,
    fds: Vec<OwnedFd>,
    /// Zero for a success.
    errno: u32,
}

/// What a request has cost.
pub(crate) struct Cost {
    /// The server's processor time.
    pub(crate) cpu: Duration,
    /// The longest time for which other sessions had to wait.
    pub(crate) longest: Duration,
    /// The length of the request and of its reply.
    pub(crate) bytes: usize,
    /// The payload of the reply.
    pub(crate) reply: Vec<u8>,
}

/// A server with one client.
pub(crate) struct Bed {
    server: Server,
    client: UnixStream,
}

impl Request {
    /// Creates a request that succeeds.
    pub(crate) fn new(command: u16, payload: &[u8]) -> Self {
        Self::raw(wire::message(1, command, 0, payload))
    }

    /// Creates a request of any bytes.
    pub(crate) fn raw(message: Vec<u8>) -> Self {
        Request { message, fds: Vec::new(), errno: 0 }
    }

    /// Adds descriptors.
    pub(crate) fn with_fds(self, fds: Vec<OwnedFd>) -> Self {
        Request { fds, ..self }
    }

    /// Expects an error.
    pub(crate) fn refused(self, errno: u32) -> Self {
        Request { errno, ..self }
    }
}

impl Bed {
    /// Creates a server of a device; its client has sent nothing yet.
    pub(crate) fn new<D: PciDevice>(
        factory: impl FnMut() -> D + Send + 'static,
    ) -> vfio_user::Result<Self> {
        let (client, end) = UnixStream::pair()?;
        client.set_nonblocking(true)?;
        let server = Server::new()?;
        server.handle().add(Socket::from_stream(end)?, factory)?;
        Ok(Bed { server, client })
    }

    /// Performs a request, and checks its reply.
    pub(crate) fn perform(&mut self, request: &Request) -> io::Result<Cost> {
        let Request { message, fds, errno } = request;
        let mut sent = self.send_descriptors(message, fds)?;
        let mut received = Vec::new();
        let (mut cpu, mut longest) = (Duration::ZERO, Duration::ZERO);
        while sent < message.len() || !is_complete(&received) {
            sent += self.send(&message[sent..])?;
            let turn = self.turn()?;
            cpu += turn;
            longest = longest.max(turn);
            self.receive(&mut received)?;
        }
        let bytes = message.len() + received.len();
        let answered = match wire::u32_at(&received, 8) {
            flag::REPLY => 0,
            _ => wire::u32_at(&received, 12),
        };
        if answered != *errno {
            return Err(io::Error::other(format!("the answer is {answered} instead of {errno}")));
        }
        Ok(Cost { cpu, longest, bytes, reply: received.split_off(wire::HEADER) })
    }

    /// Closes the connection, and returns what the end of the session costs.
    pub(crate) fn end(self) -> io::Result<Cost> {
        let Bed { server, client } = self;
        let mut bed = Bed { server, client: UnixStream::pair()?.0 };
        drop(client);
        let (mut cpu, mut longest) = (Duration::ZERO, Duration::ZERO);
        let mut last = Duration::ZERO;
        while bed.is_ready(200)? {
            // The last turn removes the device, which is not counted.
            cpu += last;
            longest = longest.max(last);
            last = bed.turn()?;
        }
        Ok(Cost { cpu, longest, bytes: 0, reply: Vec::new() })
    }

    /// Negotiates a version.
    pub(crate) fn negotiate(&mut self) -> io::Result<()> {
        let version = wire::version(0, r#"{"capabilities":{"max_msg_fds":253}}"#);
        self.perform(&Request::new(command::VERSION, &version)).map(drop)
    }

    /// Lets the server do all that it can, and returns its processor time.
    fn turn(&mut self) -> io::Result<Duration> {
        self.is_ready(1000)?;
        let start = cpu::thread_time();
        self.server.process().map_err(io::Error::other)?;
        Ok(cpu::thread_time().saturating_sub(start))
    }

    fn is_ready(&self, milliseconds: u16) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.server.poll_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut fds, PollTimeout::from(milliseconds))? > 0)
    }

    /// Sends a message that has descriptors; it is short. Returns the number of bytes sent.
    fn send_descriptors(&self, message: &[u8], fds: &[OwnedFd]) -> io::Result<usize> {
        if fds.is_empty() {
            return Ok(0);
        }
        let fds: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
        RawClient::new(self.client.try_clone()?).try_send(message, &fds)?;
        Ok(message.len())
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match (&self.client).write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    fn receive(&self, received: &mut Vec<u8>) -> io::Result<()> {
        match (&self.client).read_to_end(received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(io::Error::other("the server has closed the connection")),
        }
    }
}

fn is_complete(received: &[u8]) -> bool {
    received.len() >= wire::HEADER && received.len() >= wire::u32_at(received, 4) as usize
}
