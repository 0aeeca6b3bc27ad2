//! A relay between a client and a server, which writes down what the client asks for, and can be cut.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

use crate::raw::{Answer, RawClient};
use crate::wire;

/// Listens in the place of a server, for one client.
#[derive(Debug)]
pub struct Tap {
    folder: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What a client has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The command.
    pub command: u16,
    /// What follows the header.
    pub payload: Vec<u8>,
    /// How many descriptors came along.
    pub fds: usize,
}

impl Tap {
    /// In front of the server at `server`, which has to listen by the time that a client comes.
    ///
    /// # Panics
    ///
    /// If there can be no socket.
    pub fn on(server: &Path) -> Self {
        Self::cut_at(server, |_| false)
    }

    /// As [`on`](Self::on), but both connections end in place of a request for which `is_last` is true: for
    /// each side, the other has died.
    ///
    /// # Panics
    ///
    /// If there can be no socket.
    pub fn cut_at(server: &Path, is_last: impl FnMut(&Asked) -> bool + Send + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let tap = Tap { folder, asked: Arc::clone(&asked) };
        let listener = UnixListener::bind(tap.socket()).expect("a socket");
        let server = server.to_owned();
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let server = UnixStream::connect(server).expect("a server");
            relay(&client, &server, &asked, is_last);
        });
        tap
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("tap.sock")
    }

    /// All that has been asked for so far, in order. Answers of the client to requests of the server
    /// are not among it.
    ///
    /// # Panics
    ///
    /// If the relay has panicked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn relay(
    client: &UnixStream,
    server: &UnixStream,
    asked: &Mutex<Vec<Asked>>,
    mut is_last: impl FnMut(&Asked) -> bool,
) {
    let (from, to) = (peer(server), peer(client));
    thread::spawn(move || forward(&from, &to, |_| true));
    forward(&peer(client), &peer(server), |message| {
        if message.flags & wire::flag::REPLY != 0 {
            return true;
        }
        let Answer { command, payload, fds, .. } = message;
        let request = Asked { command: *command, payload: payload.clone(), fds: fds.len() };
        let is_last = is_last(&request);
        asked.lock().expect("no panic").push(request);
        if is_last {
            // The server may have gone by itself.
            let _ = [client, server].map(|end| end.shutdown(Shutdown::Both));
        }
        !is_last
    });
}

/// One who says nothing for as long as it likes.
fn peer(stream: &UnixStream) -> RawClient {
    let peer = RawClient::new(stream.try_clone().expect("a descriptor"));
    peer.stream().set_read_timeout(None).expect("a timeout");
    peer
}

/// Message by message, until one of them is gone or `goes_on` is not true of one.
fn forward(from: &RawClient, to: &RawClient, mut goes_on: impl FnMut(&Answer) -> bool) {
    while let Some(message) = from.try_receive()
        && goes_on(&message)
    {
        let fds: Vec<_> = message.fds.iter().map(AsFd::as_fd).collect();
        if to.try_send(&message.to_bytes(), &fds).is_err() {
            break;
        }
    }
    let _ = to.stream().shutdown(Shutdown::Write);
}
