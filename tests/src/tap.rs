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
    /// Passes it on, and alters the server's answer.
    Forge(Forgery),
}

/// What becomes of an answer.
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
    /// To another command.
    OtherCommand,
    /// To another request.
    OtherRequest,
    /// The header says that 4 GiB follow.
    Huge,
    /// The header says that it is shorter than a header.
    Tiny,
    /// Ends in the middle, and with it both connections.
    Cut,
    /// Something else in place of it.
    Garbage,
    /// Something else behind it.
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

    /// The bytes to send in place of an answer.
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

/// Bytes that are no message.
fn garbage() -> Vec<u8> {
    (0..4096_u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0]).collect()
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
        forward(&from, &to, |answer, to| {
            if let Some(forgery) = passing.forgery_of(answer) {
                // The client may have gone by itself.
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

/// What happens to the answers of a server.
#[derive(Clone, Debug, Default)]
struct Answers {
    muted: Arc<AtomicBool>,
    cut: Arc<AtomicBool>,
    /// The id of one that is altered.
    forged: Arc<Mutex<Option<(u16, Forgery)>>>,
}

impl Answers {
    /// What becomes of an answer, if it is altered.
    fn forgery_of(&self, answer: &Answer) -> Option<Forgery> {
        let mut forged = self.forged.lock().expect("no panic");
        let is_it = |(id, _): &mut (u16, Forgery)| *id == answer.id;
        let is_answer = answer.flags & wire::flag::REPLY != 0;
        if is_answer { forged.take_if(is_it).map(|(_, forgery)| forgery) } else { None }
    }
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
