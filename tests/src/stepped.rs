//! A server that processes only when its test calls it.

use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::Server;

use crate::raw::{Answer, RawClient};
use crate::wire::{self, command};

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

/// Sends a request to a server that runs on this thread, and returns the number of turns until it
/// is answered, and the answer. The client of another device is served in each of them.
///
/// # Panics
///
/// If the other client is not served, or the server ends.
pub fn turns_of(
    server: &mut Server,
    client: &RawClient,
    other: &RawClient,
    command: u16,
    payload: &[u8],
) -> (u32, Answer) {
    client.send(&wire::message(9, command, 0, payload), &[]);
    for turn in 1.. {
        other.send(&wire::message(7, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0])), &[]);
        server.process().expect("a turn");
        other.answer_to(7, command::GET_INFO).ok();
        if client.has_message(Duration::ZERO) {
            return (turn, client.answer_to(9, command));
        }
    }
    unreachable!("it is answered")
}
