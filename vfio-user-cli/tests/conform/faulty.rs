//! A server with a fault: a relay in front of a good one, which alters messages.

use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::Running;

use crate::Card;

/// What a fault does to messages.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Alters requests before the server receives them.
    Request(fn(&mut Answer)),
    /// Alters replies before the client receives them.
    Reply(fn(&mut Answer)),
    /// Sends no replies of a command.
    Silent(u16),
    /// Serves one client only.
    OneClient,
}

/// A faulty server, until this is dropped.
pub(crate) struct Faulty {
    dir: TempDir,
    running: Running,
}

impl Faulty {
    pub(crate) fn start(fault: Fault) -> Self {
        let running = Running::at_path(Card::default);
        let dir = tempfile::tempdir().expect("a directory");
        let faulty = Faulty { dir, running };
        let listener = UnixListener::bind(faulty.path()).expect("a socket");
        let good = faulty.running.path().to_owned();
        let path = faulty.path();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&good)) else { break };
                relay(&client, &server, fault);
                if matches!(fault, Fault::OneClient) {
                    let _ = std::fs::remove_file(&path);
                    break;
                }
            }
        });
        faulty
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("faulty.sock")
    }
}

fn relay(client: &UnixStream, server: &UnixStream, fault: Fault) {
    let [from_client, to_client] = [client, client].map(peer);
    let [from_server, to_server] = [server, server].map(peer);
    let requests = move |message: &mut Answer| {
        if let Fault::Request(alter) = fault {
            alter(message);
        }
        true
    };
    let replies = move |message: &mut Answer| {
        if let Fault::Reply(alter) = fault {
            alter(message);
        }
        !matches!(fault, Fault::Silent(command) if command == message.command)
    };
    thread::spawn(move || forward(&from_client, &to_server, requests));
    thread::spawn(move || forward(&from_server, &to_client, replies));
}

/// Returns a peer without a timeout.
fn peer(stream: &UnixStream) -> RawClient {
    let peer = RawClient::new(stream.try_clone().expect("a descriptor"));
    peer.stream().set_read_timeout(None).expect("a timeout");
    peer
}

/// Forwards messages until a peer disconnects. Only whole messages are sent here.
fn forward(from: &RawClient, to: &RawClient, mut pass: impl FnMut(&mut Answer) -> bool) {
    while let Some(mut message) = from.try_receive() {
        if !pass(&mut message) {
            continue;
        }
        message.size = u32::try_from(16 + message.payload.len()).expect("a short message");
        let fds: Vec<_> = message.fds.iter().map(|fd| fd.as_fd()).collect();
        if to.try_send(&message.to_bytes(), &fds).is_err() {
            break;
        }
    }
    let _ = to.stream().shutdown(Shutdown::Both);
}
