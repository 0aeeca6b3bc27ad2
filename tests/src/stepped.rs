//! A server that has a turn only when its test gives it one.

use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::Server;

/// How long a server may have to wait for others, in milliseconds.
const SHORT: u8 = 20;

/// Whether there is something to do for a server, or is within so many milliseconds.
///
/// # Panics
///
/// If that cannot be found out.
pub fn has_work(server: &Server, within: u8) -> bool {
    let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(within)).expect("poll") > 0
}

/// Processes until there is nothing to do.
///
/// # Panics
///
/// If the server ends.
pub fn settle(server: &mut Server) {
    loop {
        assert!(server.process().expect("a turn"), "the server has ended");
        if !has_work(server, SHORT) {
            return;
        }
    }
}

/// Processes while a client does something that needs answers, and until there is nothing to do.
///
/// # Panics
///
/// If the client does, or the server ends.
pub fn serve_while<T: Send>(server: &mut Server, client: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let client = scope.spawn(client);
        while !client.is_finished() {
            assert!(server.process().expect("a turn"), "the server has ended");
            has_work(server, SHORT);
        }
        settle(server);
        client.join().expect("the client")
    })
}
