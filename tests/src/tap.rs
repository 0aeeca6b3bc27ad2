//! A relay between a client and a server, which records the client's requests and can make them
//! fail.

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

/// Listens in place of a server, for one client.
#[derive(Debug)]
pub struct Tap {
    folder: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The command.
    pub command: u16,
    /// The bytes behind the header.
    pub payload: Vec<u8>,
    /// Number of descriptors sent along.
    pub fds: usize,
}

/// The action of a [`Tap`] on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Forwards it.
    Pass,
    /// Ends both connections instead.
    Cut,
    /// Drops it. Nothing is forwarded any more, and the connections stay open.
    Swallow,
    /// Forwards it. No reply is forwarded any more, and the connections stay open.
    Mute,
    /// Forwards it, and ends both connections when the reply arrives.
    CutAfter,
    /// Replies with this error number in place of the server.
    Refuse(u32),
    /// Forwards it, and alters the server's reply.
    Forge(Forgery),
}

/// A change of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// A success without a payload.
    Empty,
    /// A byte is missing at the end.
    Short,
    /// 64 KiB too many.
    Long,
    /// The payload is all ones: sizes, states and flags that cannot be.
    Ones,
    /// The payload is all zeros.
    Zeros,
    /// A reply to another command.
    OtherCommand,
    /// A reply to another request.
    OtherRequest,
    /// The header says that 4 GiB follow.
    Huge,
    /// The header says that it is shorter than a header.
    Tiny,
    /// The reply ends in the middle, and both connections end with it.
    Cut,
    /// Other bytes instead of the reply.
    Garbage,
    /// Other bytes behind the reply.
    Noise,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Forgery::Empty,
        Forgery::Short,
        Forgery::Long,
        Forgery::Ones,
        Forgery::Zeros,
        Forgery::OtherCommand,
        Forgery::OtherRequest,
        Forgery::Huge,
        Forgery::Tiny,
        Forgery::Cut,
        Forgery::Garbage,
        Forgery::Noise,
    ];

    /// Returns the bytes to send in place of a reply.
    fn alter(self, answer: &Answer) -> Vec<u8> {
        let mut bytes = answer.to_bytes();
        let head = wire::HEADER;
        match self {
            Forgery::Empty => bytes.truncate(head),
            Forgery::Short => bytes.truncate((bytes.len() - 1).max(head)),
            Forgery::Long => bytes.resize(bytes.len() + (64 << 10), 0xa5),
            Forgery::Ones => bytes[head..].fill(0xff),
            Forgery::Zeros => bytes[head..].fill(0),
            Forgery::OtherCommand => bytes[2] ^= 1,
            Forgery::OtherRequest => bytes[0] ^= 0x80,
            Forgery::Cut => bytes.truncate(bytes.len() / 2),
            Forgery::Garbage => bytes = garbage(),
            Forgery::Noise => bytes.extend(garbage()),
            Forgery::Huge | Forgery::Tiny => {}
        }
        let size = match self {
            Forgery::Huge => u32::MAX,
            Forgery::Tiny => 3,
            Forgery::Cut | Forgery::Garbage | Forgery::Noise => return bytes,
            _ => u32::try_from(bytes.len()).expect("a short message"),
        };
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        bytes
    }
}

/// Returns bytes that are no message.
fn garbage() -> Vec<u8> {
    (0..4096_u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0]).collect()
}

impl Tap {
    /// Listens in front of the server at `server`, which has to listen when the client connects.
    ///
    /// # Panics
    ///
    /// If the socket cannot be created.
    pub fn on(server: &Path) -> Self {
        Self::cut_at(server, |_| false)
    }

    /// As [`on`](Self::on), but ends both connections at a request for which `is_last` returns
    /// true: for each side, the other one has died.
    ///
    /// # Panics
    ///
    /// If the socket cannot be created.
    pub fn cut_at(server: &Path, mut is_last: impl FnMut(&Asked) -> bool + Send + 'static) -> Self {
        let fate = move |asked: &Asked| if is_last(asked) { Fate::Cut } else { Fate::Pass };
        Self::with(server, fate)
    }

    /// As [`on`](Self::on), but `fate` decides on each request.
    ///
    /// # Panics
    ///
    /// If the socket cannot be created.
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

    /// Returns the path that it listens at.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("tap.sock")
    }

    /// Returns all requests so far, in order, without the client's replies to requests of the
    /// server.
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
        forward(&from, &to, |answer, to| {
            if let Some(forgery) = passing.forgery_of(answer) {
                // The client may have disconnected.
                let _ = to.try_send(&forgery.alter(answer), &[]);
                if forgery == Forgery::Cut {
                    cut([from.stream(), to.stream()]);
                }
                return Passed::No;
            }
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
            Fate::Forge(forgery) => {
                *answers.forged.lock().expect("no panic") = Some((message.id, forgery));
            }
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

/// The action on the replies of a server.
#[derive(Clone, Debug, Default)]
struct Answers {
    muted: Arc<AtomicBool>,
    cut: Arc<AtomicBool>,
    /// The id of the reply to alter.
    forged: Arc<Mutex<Option<(u16, Forgery)>>>,
}

impl Answers {
    /// Returns the change of a reply, if it is to be altered.
    fn forgery_of(&self, answer: &Answer) -> Option<Forgery> {
        let mut forged = self.forged.lock().expect("no panic");
        let is_it = |(id, _): &mut (u16, Forgery)| *id == answer.id;
        let is_answer = answer.flags & wire::flag::REPLY != 0;
        if is_answer { forged.take_if(is_it).map(|(_, forgery)| forgery) } else { None }
    }
}

/// The server may have disconnected already.
fn cut(ends: [&UnixStream; 2]) {
    let _ = ends.map(|end| end.shutdown(Shutdown::Both));
}

enum Passed {
    Yes,
    No,
    End,
}

/// Returns a peer without a timeout.
fn peer(stream: &UnixStream) -> RawClient {
    let peer = RawClient::new(stream.try_clone().expect("a descriptor"));
    peer.stream().set_read_timeout(None).expect("a timeout");
    peer
}

/// Forwards message by message, until a peer disconnects or `pass` ends it.
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
