//! A server that processes only when its test calls it.

use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::Server;

/// The time that a server may wait for others, in milliseconds.
const SHORT: u8 = 20;

/// Whether a server has work now, or will within this many milliseconds.
///
/// # Panics
///
/// If the server cannot be polled.
pub fn has_work(server: &Server, within: u8) -> bool {
    let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(within)).expect("poll") > 0
}

/// Processes until the server has no work.
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

/// Processes while a client performs requests that need replies, and until the server has no work.
///
/// # Panics
///
/// If the client panics, or the server ends.
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
