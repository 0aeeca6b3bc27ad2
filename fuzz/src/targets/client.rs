//! The client, and a server that replies as it likes.

mod calls;
mod server;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arbitrary::Arbitrary;
use vfio_user::client::{AttachOptions, Client};
use vfio_user_tests::raw::RawClient;

use super::session;
use crate::resources::Resources;
use calls::Call;
use server::{Behaviour, serve};

#[derive(Arbitrary, Debug)]
struct Input {
    calls: Vec<Call>,
    server: Vec<Behaviour>,
}

/// The most calls of the client: each may wait for an answer until its timeout.
const MOST_CALLS: usize = 32;
/// The time to wait for an answer.
const TIMEOUT: Duration = Duration::from_millis(20);

/// Drives a server, and ends: whatever it does costs the connection at most.
pub fn run(input: &[u8]) {
    let Some(input) = super::parse::<Input>(input) else { return };
    session::warm_up();
    let before = Resources::count();
    let (ours, theirs) = UnixStream::pair().expect("pair");
    thread::scope(|scope| {
        scope.spawn(|| serve(&RawClient::new(theirs), &input.server));
        let options = AttachOptions { timeout: TIMEOUT, ..AttachOptions::default() };
        if let Ok(client) = Client::from_stream(ours, options) {
            let client = Arc::new(client);
            for call in input.calls.iter().take(MOST_CALLS) {
                call.perform(&client);
            }
        }
    });
    before.assert_back();
}
