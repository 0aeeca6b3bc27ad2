//! A client, and the server that it talks to.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::thread::{self, Scope};

use rustix::net::{AddressFamily, SocketType, sockopt};

use super::pipe::Pipe;
use super::tap::Tap;
use crate::log::{Route, Sender};

/// The two ends of a connection, as the proxy holds them.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) client: UnixStream,
    pub(super) server: UnixStream,
}

/// A connection with its second socket.
pub(super) struct Session<'a> {
    connection: u32,
    tap: &'a Tap,
    main: Ends,
    twin: OnceLock<Ends>,
}

impl<'a> Session<'a> {
    pub(super) fn new(connection: u32, main: Ends, tap: &'a Tap) -> Self {
        Session { connection, tap, main, twin: OnceLock::new() }
    }

    /// Forwards until both ends have closed.
    pub(super) fn run(&self) {
        self.tap.connected(self.connection);
        thread::scope(|scope| {
            let requests = self.pipe(&self.main, Sender::Client, false);
            let requests = scope.spawn(move || requests.run(|_| Ok(())));
            let replies = self.pipe(&self.main, Sender::Server, false);
            replies.run(|fds| self.interpose(scope, fds));
            // A panic is reported already.
            drop(requests.join());
            if let Some(twin) = self.twin.get() {
                // Errors mean that they are closed.
                drop(twin.client.shutdown(Shutdown::Both));
                drop(twin.server.shutdown(Shutdown::Both));
            }
        });
    }

    fn pipe<'s>(&'s self, ends: &'s Ends, from: Sender, is_twin: bool) -> Pipe<'s> {
        let route = Route { connection: self.connection, is_twin, from };
        let (from, to) = match from {
            Sender::Client => (&ends.client, &ends.server),
            Sender::Server => (&ends.server, &ends.client),
        };
        Pipe::new(route, from, to, self.tap)
    }

    /// Replaces a socket in the server's first message, which is the second socket, by one of the
    /// proxy's own, and forwards between the two.
    fn interpose<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        fds: &mut [OwnedFd],
    ) -> io::Result<()> {
        let Some(fd) = fds.iter_mut().find(|fd| is_stream(fd)) else { return Ok(()) };
        if self.twin.get().is_some() {
            return Ok(());
        }
        let (ours, theirs) = UnixStream::pair()?;
        let server = std::mem::replace(fd, theirs.into()).into();
        let ends = self.twin.get_or_init(|| Ends { client: ours, server });
        for from in [Sender::Client, Sender::Server] {
            let pipe = self.pipe(ends, from, true);
            scope.spawn(move || pipe.run(|_| Ok(())));
        }
        Ok(())
    }
}

/// Whether a descriptor is a UNIX stream socket.
fn is_stream(fd: &OwnedFd) -> bool {
    sockopt::socket_domain(fd).is_ok_and(|domain| domain == AddressFamily::UNIX)
        && sockopt::socket_type(fd).is_ok_and(|kind| kind == SocketType::STREAM)
}
