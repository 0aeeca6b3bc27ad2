//! Scripted servers for the tests of our client.

use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vfio_user::Error;
use vfio_user::client::AttachOptions;
use vfio_user::client::Client;

use crate::PATIENCE;
use crate::raw::{Answer, RawClient};
use crate::wire::{self, flag};

/// The capabilities that [`welcome`] reports.
pub const AGREED: &str = r#"{"capabilities":{"max_msg_fds":2}}"#;

/// Runs `serve` as the server of a connection, and returns the client's end of it.
///
/// # Panics
///
/// If the system refuses.
pub fn server(serve: impl FnOnce(RawClient) + Send + 'static) -> (UnixStream, JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().expect("pair");
    (ours, thread::spawn(move || serve(RawClient::new(theirs))))
}

/// Replies to a request with a payload.
pub fn reply(server: &RawClient, request: &Answer, payload: &[u8]) {
    server.send(&wire::message(request.id, request.command, flag::REPLY, payload), &[]);
}

/// Replies to a request with an error.
pub fn refuse(server: &RawClient, request: &Answer, errno: u32) {
    let mut reply = wire::header(request.id, request.command, 16, flag::REPLY | flag::ERROR);
    reply[12..].copy_from_slice(&errno.to_le_bytes());
    server.send(&reply, &[]);
}

/// Replies to the next request with a payload, and returns the request's payload.
pub fn answer(server: &RawClient, payload: &[u8]) -> Vec<u8> {
    let request = server.receive();
    reply(server, &request, payload);
    request.payload
}

/// Serves the requests that every client sends first.
pub fn welcome(server: &RawClient) {
    answer(server, &wire::version(0, AGREED));
    answer(server, &wire::words(&[16, 3, 9, 5]));
}

/// Options with a timeout.
pub fn options(timeout: Duration) -> AttachOptions {
    AttachOptions { timeout, ..AttachOptions::default() }
}

/// Attaches with a long timeout.
///
/// # Errors
///
/// Those of the client.
pub fn attach(stream: UnixStream) -> Result<Client, Error> {
    Client::from_stream(stream, options(PATIENCE))
}

/// Attaches to a server that then continues with `serve`.
///
/// # Panics
///
/// If that fails.
pub fn attached(serve: impl FnOnce(RawClient) + Send + 'static) -> (Client, JoinHandle<()>) {
    let (stream, thread) = server(move |server| {
        welcome(&server);
        serve(server);
    });
    (attach(stream).expect("attached"), thread)
}
