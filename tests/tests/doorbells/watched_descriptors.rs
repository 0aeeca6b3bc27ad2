//! Descriptors of a device's own in the loop that serves it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{MigrationState, RegionIndex};
use vfio_user::{
    Cx, Device, EventFd, PciDevice, Readiness, Result, Server, Socket, Virtual, Watch,
};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;

/// A device with a wire, of which it reads `chunk` bytes whenever something has come.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
struct Wired {
    #[reg(reg::EVENTS, ro)]
    events: u32,
    #[reg(reg::READ, ro)]
    read: u32,
    #[reg(reg::CLOSED, ro)]
    closed: u32,
    #[reg(reg::CHUNK, reset = 1)]
    chunk: u32,
    #[reg(reg::WATCH, wo, write_with = Self::watch)]
    watch: Virtual<u32>,
    #[migrate(skip)]
    wire: UnixStream,
    #[migrate(skip)]
    watching: Option<Watch>,
    #[migrate(skip)]
    sender: Sender<Readiness>,
}

mod reg {
    pub(super) const EVENTS: u64 = 0;
    pub(super) const READ: u64 = 4;
    pub(super) const CLOSED: u64 = 8;
    pub(super) const CHUNK: u64 = 12;
    pub(super) const WATCH: u64 = 16;
}

impl Wired {
    fn new() -> (Self, UnixStream, Receiver<Readiness>) {
        let (wire, far) = UnixStream::pair().unwrap();
        wire.set_nonblocking(true).unwrap();
        let (sender, hears) = channel();
        let watch = Virtual::default();
        let (events, read, closed, chunk) = (0, 0, 0, 1);
        let wired = Wired { events, read, closed, chunk, watch, wire, watching: None, sender };
        (wired, far, hears)
    }

    fn watch(&mut self, cx: &mut Cx<'_, Self>, on: u32) {
        self.watching = (on != 0).then(|| cx.watch(&self.wire, |readiness| readiness).unwrap());
    }
}

impl Device for Wired {
    type Event = Readiness;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.watch(cx, 1);
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, readiness: Readiness) {
        self.events += 1;
        self.closed += u32::from(readiness == Readiness::Closed);
        let mut bytes = [0; 64];
        let chunk = (self.chunk as usize).min(bytes.len());
        match self.wire.read(&mut bytes[..chunk]) {
            Ok(count) => self.read += u32::try_from(count).unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let _ = self.sender.send(readiness);
    }
}

fn served() -> (serve::Running, RawClient, UnixStream, Receiver<Readiness>) {
    let (wired, far, hears) = Wired::new();
    let mut wired = Some(wired);
    let (running, mut client) = serve::over_pair(move || wired.take().unwrap());
    client.negotiate();
    (running, client, far, hears)
}

#[test]
fn one_event_comes_as_long_as_there_is_something_to_read() {
    let (_running, mut client, mut far, hears) = served();
    far.write_all(&[7; 100]).unwrap();
    for _ in 0..100 {
        assert_eq!(hears.recv_timeout(PATIENCE), Ok(Readiness::Readable));
    }
    assert_eq!(client.number(0, reg::READ, 4), 100);
    for _ in 0..20 {
        client.sync();
    }
    assert_eq!(client.number(0, reg::EVENTS, 4), 100, "none without anything to read");
}

#[test]
fn a_hook_that_does_not_read_holds_up_no_client() {
    let (_running, mut client, mut far, hears) = served();
    client.write(0, reg::CHUNK, &0u32.to_le_bytes());
    far.write_all(&[7; 3]).unwrap();
    hears.recv_timeout(PATIENCE).unwrap();
    let first = client.number(0, reg::EVENTS, 4);
    while client.number(0, reg::EVENTS, 4) < first + 3 {}
    client.write(0, reg::CHUNK, &64u32.to_le_bytes());
    while client.number(0, reg::READ, 4) < 3 {}
}

#[test]
fn nothing_comes_once_the_watch_is_dropped() {
    let (_running, mut client, mut far, hears) = served();
    client.write(0, reg::WATCH, &0u32.to_le_bytes());
    far.write_all(b"unseen").unwrap();
    (0..20).for_each(|_| client.sync());
    assert_eq!(client.number(0, reg::EVENTS, 4), 0);
    client.write(0, reg::WATCH, &1u32.to_le_bytes());
    for _ in 0..6 {
        assert_eq!(hears.recv_timeout(PATIENCE), Ok(Readiness::Readable), "it is there still");
    }
}

#[test]
fn the_far_end_that_closes_is_reported_once() {
    let (_running, mut client, mut far, hears) = served();
    client.write(0, reg::CHUNK, &64u32.to_le_bytes());
    far.write_all(b"last words").unwrap();
    drop(far);
    while hears.recv_timeout(PATIENCE).unwrap() != Readiness::Closed {}
    (0..20).for_each(|_| client.sync());
    assert_eq!(client.number(0, reg::CLOSED, 4), 1);
    assert_eq!(client.number(0, reg::READ, 4), 10);
    assert!(hears.try_recv().is_err());
}

#[test]
fn it_is_read_while_no_client_is_there() {
    let (wired, mut far, hears) = Wired::new();
    let mut wired = Some(wired);
    let running = serve::Running::at_path(move || wired.take().unwrap());
    far.write_all(b"x").unwrap();
    assert_eq!(hears.recv_timeout(PATIENCE), Ok(Readiness::Readable));
    drop(running.client());
    far.write_all(b"y").unwrap();
    assert_eq!(hears.recv_timeout(PATIENCE), Ok(Readiness::Readable));
    assert_eq!(running.client().number(0, reg::READ, 4), 2);
}

/// Processes until there is nothing to do; in how many turns.
fn settle(server: &mut Server) -> usize {
    for turns in 1..1000 {
        assert!(server.process().unwrap());
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(20u8)).unwrap() == 0 {
            return turns;
        }
    }
    panic!("the descriptor stays readable");
}

#[test]
fn a_foreign_loop_is_woken_by_it_and_not_kept_awake() {
    let (wired, mut far, hears) = Wired::new();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let mut server = Server::new().unwrap();
    let mut wired = Some(wired);
    server.add(Socket::from_stream(theirs).unwrap(), move || wired.take().unwrap()).unwrap();
    settle(&mut server);
    far.write_all(&[0; 10]).unwrap();
    assert!(settle(&mut server) >= 10, "a turn each");
    assert_eq!(hears.try_iter().count(), 10);
    drop(far);
    assert!(settle(&mut server) < 5);
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), [Readiness::Closed]);
}

#[test]
fn a_stopped_device_is_not_notified_and_no_loop_is_kept_awake() {
    let (wired, mut far, hears) = Wired::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut server = Server::new().unwrap();
    let mut wired = Some(wired);
    server.add(Socket::from_stream(theirs).unwrap(), move || wired.take().unwrap()).unwrap();
    let (go_on, stopped) = (EventFd::new().unwrap(), EventFd::new().unwrap());
    let (halted, waits) = (stopped.try_clone().unwrap(), go_on.try_clone().unwrap());
    let client = thread::spawn(move || {
        let client = Client::from_stream(ours, AttachOptions::default()).unwrap();
        client.set_migration_state(MigrationState::Stop).unwrap();
        halted.signal();
        waits.wait(PATIENCE).unwrap().expect("a signal");
        client.set_migration_state(MigrationState::Running).unwrap();
        let mut read = [0; 4];
        while u32::from_le_bytes(read) < 5 {
            client.region(RegionIndex::Bar0).read_bytes(reg::READ, &mut read).unwrap();
        }
    });
    while stopped.take().is_none() {
        server.process().unwrap();
    }
    far.write_all(&[0; 5]).unwrap();
    settle(&mut server);
    assert_eq!(hears.try_iter().count(), 0);
    go_on.signal();
    while server.process().unwrap() {
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
    }
    client.join().unwrap();
    assert_eq!(hears.try_iter().count(), 5);
}
