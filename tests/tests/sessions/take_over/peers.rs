//! Programs that say something wrong, or nothing, in a take-over.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use vfio_user::protocol::RegionIndex;
use vfio_user::{Error, TakeOverError};
use vfio_user_tests::PATIENCE;

use super::{Card, SCRATCH, Upgrades, serve};

/// The version of the messages and records.
const FORMAT: u32 = 2;

/// A program that says what a test wants.
pub(super) struct Peer(UnixStream);

impl Peer {
    /// Connects to the socket where successors ask.
    pub(super) fn successor(upgrades: &Upgrades) -> Self {
        Peer(UnixStream::connect(upgrades.upgrade_socket()).unwrap())
    }

    pub(super) fn send(&mut self, kind: u16, payload: &[u8]) {
        let size = u32::try_from(16 + payload.len()).unwrap();
        let header = [[0, 0], kind.to_le_bytes()].concat();
        let rest = [size.to_le_bytes(), [0; 4], [0; 4]].concat();
        // The other end may have closed it.
        let _ = self.0.write_all(&[&header[..], &rest, payload].concat());
    }

    pub(super) fn hello(&mut self, upgrades: &Upgrades) {
        let socket = upgrades.socket();
        let device = format!(r#"{{"name":"card","socket":"{}"}}"#, socket.display());
        self.send(1, format!(r#"{{"format":{FORMAT},"devices":[{device}]}}"#).as_bytes());
    }

    /// Receives a message, and returns its kind and its payload; `None` at the end.
    fn receive(&mut self) -> Option<(u16, Vec<u8>)> {
        let mut header = [0; 16];
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        self.0.read_exact(&mut header).ok()?;
        let size = u32::from_le_bytes(header[4..8].try_into().unwrap());
        let mut payload = vec![0; size as usize - 16];
        self.0.read_exact(&mut payload).unwrap();
        Some((u16::from_le_bytes(header[2..4].try_into().unwrap()), payload))
    }

    /// Receives messages up to one of this kind, and returns its payload.
    pub(super) fn receive_until(&mut self, kind: u16) -> Vec<u8> {
        loop {
            let (received, payload) = self.receive().expect("a message");
            if received == kind {
                return payload;
            }
        }
    }
}

/// What a successor says before it ends.
type Say = dyn Fn(&mut Peer, &Upgrades);

#[test]
fn a_successor_that_ends_at_any_message_leaves_the_device_where_it_is() {
    let mut upgrades = Upgrades::start();
    let client = upgrades.client();
    let bar = client.region(RegionIndex::Bar0);
    let says: [&Say; 8] = [
        &|_, _| {},
        &|peer, _| peer.send(1, b"{}"),
        &|peer, _| peer.send(1, br#"{"format":3,"devices":[]}"#),
        &|peer, _| drop(peer.0.write_all(&[0xff; 4096])),
        &|peer, upgrades| peer.hello(upgrades),
        &|peer, upgrades| {
            peer.hello(upgrades);
            peer.receive_until(2);
        },
        &|peer, upgrades| {
            peer.hello(upgrades);
            peer.receive_until(3);
            peer.send(6, b"no");
            peer.receive_until(6);
        },
        &|peer, upgrades| {
            peer.hello(upgrades);
            peer.receive_until(3);
            peer.send(5, b"null");
            peer.receive_until(6);
        },
    ];
    for (round, say) in (0_u32..).zip(says) {
        bar.write(SCRATCH, round).unwrap();
        let mut peer = Peer::successor(&upgrades);
        say(&mut peer, &upgrades);
        drop(peer);
        assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), round);
    }
    upgrades.upgrade();
    assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), 7);
    upgrades.end();
}

/// One of an earlier or a later version, also if it says more than this one.
#[test]
fn a_successor_of_another_format_is_refused_with_both_versions() {
    let upgrades = Upgrades::start();
    for theirs in [FORMAT - 1, FORMAT + 1] {
        let mut peer = Peer::successor(&upgrades);
        let hello = format!(r#"{{"format":{theirs},"devices":[],"later":true}}"#);
        peer.send(1, hello.as_bytes());
        let reason = String::from_utf8(peer.receive_until(6)).unwrap();
        assert_eq!(reason, format!("the other program uses format {theirs}, this one {FORMAT}"));
        assert_eq!(peer.receive(), None);
    }
    upgrades.end();
}

#[test]
fn a_successor_that_says_nothing_is_not_waited_for() {
    let mut upgrades = Upgrades::start();
    let client = upgrades.client();
    let bar = client.region(RegionIndex::Bar0);
    // It keeps the device running, and the next one waiting for a while.
    let silent = Peer::successor(&upgrades);
    for round in 0..100_u32 {
        bar.write(SCRATCH, round).unwrap();
    }
    // It stops the device for a while.
    let mut half = Peer::successor(&upgrades);
    half.hello(&upgrades);
    half.receive_until(2);
    assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), 99);
    half.receive_until(6);
    assert_eq!(half.receive(), None);
    drop(silent);
    upgrades.upgrade();
    assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), 99);
    upgrades.end();
}

/// Answers a server that wants to take over as `serve_peer` does, and returns why that fails.
fn predecessor(serve_peer: impl FnOnce(&mut Peer) + Send + 'static) -> TakeOverError {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("upgrade.sock"));
    let listener = listener.unwrap();
    let theirs = thread::spawn(move || serve_peer(&mut Peer(listener.accept().unwrap().0)));
    let error = serve::<Card>(folder.path()).thread.join().unwrap().unwrap_err();
    theirs.join().unwrap();
    let Error::TakeOver(error) = error else { panic!("{error}") };
    assert!(folder.path().join("upgrade.sock").exists(), "the file is the other program's");
    *error
}

#[test]
fn a_predecessor_that_hands_nothing_over_is_not_succeeded() {
    use TakeOverError as E;
    assert!(matches!(predecessor(|_| {}), E::Closed("PARCEL") | E::Io(_)));
    let refuses = |peer: &mut Peer| {
        peer.receive_until(1);
        peer.send(6, b"busy");
    };
    assert!(matches!(predecessor(refuses), E::Refused(reason) if reason == "busy"));
    let lies = |peer: &mut Peer| {
        peer.receive_until(1);
        peer.send(2, br#"{"records":2,"bytes":0,"fds":0,"crc":1}"#);
        peer.send(3, b"{}");
        peer.receive_until(6);
    };
    assert!(matches!(predecessor(lies), E::Malformed { .. }));
    let exceeds = |peer: &mut Peer| {
        peer.receive_until(1);
        peer.send(2, br#"{"records":18446744073709551615,"bytes":1,"fds":0,"crc":1}"#);
        peer.receive_until(6);
    };
    assert!(matches!(predecessor(exceeds), E::Malformed { .. }));
}
