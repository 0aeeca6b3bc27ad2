//! A relay between a client and a server, which records the client's requests and can make them fail.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
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

/// What a [`Tap`] does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Passes it on.
    Pass,
    /// Ends both connections in its place.
    Cut,
    /// Drops it. Nothing passes any more, and the connections stay open.
    Swallow,
    /// Passes it on. No answer passes any more, and the connections stay open.
    Mute,
    /// Passes it on, and ends both connections when the answer comes.
    CutAfter,
    /// Answers it with this error number in place of the server.
    Refuse(u32),
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
    pub fn cut_at(server: &Path, mut is_last: impl FnMut(&Asked) -> bool + Send + 'static) -> Self {
        let fate = move |asked: &Asked| if is_last(asked) { Fate::Cut } else { Fate::Pass };
        Self::with(server, fate)
    }

    /// As [`on`](Self::on), but `fate` decides on each request.
    ///
    /// # Panics
    ///
    /// If there can be no socket.
    pub fn with(server: &Path, fate: impl FnMut(&Asked) -> Fate + Send + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let tap = Tap { folder, asked: Arc::clone(&asked) };
        let listener = UnixListener::bind(tap.socket()).expect("a socket");
        let server = server.to_owned();
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let server = UnixStream::connect(server).expect("a server");
            relay(&client, &server, &asked, fate);
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
    mut fate: impl FnMut(&Asked) -> Fate,
) {
    let answers = Answers::default();
    let (from, to, passing) = (peer(server), peer(client), answers.clone());
    thread::spawn(move || {
        forward(&from, &to, |_, to| {
            if passing.cut.load(Ordering::SeqCst) {
                cut([from.stream(), to.stream()]);
            }
            if passing.muted.load(Ordering::SeqCst) { Passed::No } else { Passed::Yes }
        });
    });
    let (back, mut swallows) = (peer(client), false);
    forward(&peer(client), &peer(server), |message, _| {
        if message.flags & wire::flag::REPLY != 0 {
            return Passed::Yes;
        }
        let Answer { command, payload, fds, .. } = message;
        let request = Asked { command: *command, payload: payload.clone(), fds: fds.len() };
        let fate = fate(&request);
        asked.lock().expect("no panic").push(request);
        match fate {
            Fate::Pass => {}
            Fate::Cut => {
                cut([client, server]);
                return Passed::End;
            }
            Fate::Swallow => swallows = true,
            Fate::Mute => answers.muted.store(true, Ordering::SeqCst),
            Fate::CutAfter => answers.cut.store(true, Ordering::SeqCst),
            Fate::Refuse(errno) => {
                let refusal = Answer::refusal(message, errno);
                let _ = back.try_send(&refusal.to_bytes(), &[]);
                return Passed::No;
            }
        }
        if swallows { Passed::No } else { Passed::Yes }
    });
}

/// What happens to the answers of a server.
#[derive(Clone, Debug, Default)]
struct Answers {
    muted: Arc<AtomicBool>,
    cut: Arc<AtomicBool>,
}

/// The server may have gone by itself.
fn cut(ends: [&UnixStream; 2]) {
    let _ = ends.map(|end| end.shutdown(Shutdown::Both));
}

enum Passed {
    Yes,
    No,
    End,
}

/// One who says nothing for as long as it likes.
fn peer(stream: &UnixStream) -> RawClient {
    let peer = RawClient::new(stream.try_clone().expect("a descriptor"));
    peer.stream().set_read_timeout(None).expect("a timeout");
    peer
}

/// Message by message, until one of them is gone or `pass` ends it.
fn forward(from: &RawClient, to: &RawClient, mut pass: impl FnMut(&Answer, &RawClient) -> Passed) {
    while let Some(message) = from.try_receive() {
        match pass(&message, to) {
            Passed::Yes => {}
            Passed::No => continue,
            Passed::End => break,
        }
        let fds: Vec<_> = message.fds.iter().map(AsFd::as_fd).collect();
        if to.try_send(&message.to_bytes(), &fds).is_err() {
            break;
        }
    }
    let _ = to.stream().shutdown(Shutdown::Write);
}
