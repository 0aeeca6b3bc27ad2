//! Descriptors of a device's own, while its client is served.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::{Cx, Device, PciDevice, Readiness, Server, Socket, Virtual, Watch};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};

/// Puts what arrives at a socket into a register.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
struct Ear {
    #[reg(HEARD, ro)]
    heard: u32,
    #[reg(LISTEN, wo, write_with = Self::listen)]
    listen: Virtual<u32>,
    #[reg(SCRATCH)]
    scratch: u32,
    #[migrate(skip)]
    source: UnixStream,
    /// Whether it reads what there is.
    #[migrate(skip)]
    reads: bool,
    #[migrate(skip)]
    watch: Option<Watch>,
    #[migrate(skip)]
    sender: Sender<Readiness>,
}

const HEARD: u64 = 0;
const LISTEN: u64 = 4;
const SCRATCH: u64 = 8;
/// A value of `LISTEN`: the next event is not made, but panics.
const PANIC: u32 = 2;

impl Device for Ear {
    type Event = Readiness;

    fn event(&mut self, _: &mut Cx<'_, Self>, readiness: Readiness) {
        if self.reads {
            let mut bytes = [0; 16];
            let count = self.source.read(&mut bytes).unwrap_or(0);
            self.heard += u32::try_from(count).expect("a few");
        }
        let _ = self.sender.send(readiness);
    }
}

impl Ear {
    fn listen(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.watch = (value != 0).then(|| {
            let event = move |readiness| {
                assert!(value != PANIC, "as the test wants");
                readiness
            };
            cx.watch(&self.source, event).expect("a socket can be watched")
        });
    }
}

fn ear(reads: bool) -> (impl FnMut() -> Ear + Send + 'static, UnixStream, Receiver<Readiness>) {
    let (ours, source) = UnixStream::pair().unwrap();
    source.set_nonblocking(true).unwrap();
    let (sender, listener) = channel();
    let factory = move || Ear {
        heard: 0,
        listen: Virtual::default(),
        scratch: 0,
        source: source.try_clone().unwrap(),
        reads,
        watch: None,
        sender: sender.clone(),
    };
    (factory, ours, listener)
}

fn listen(client: &mut RawClient, value: u32) {
    client.write(0, LISTEN, &value.to_le_bytes());
}

#[test]
fn what_arrives_is_heard_while_the_client_is_idle_and_while_it_is_not() {
    let (factory, mut source, received) = ear(true);
    let (_running, mut client) = serve::over_pair(factory);
    client.negotiate();
    listen(&mut client, 1);
    source.write_all(b"idle").unwrap();
    assert_eq!(received.recv_timeout(PATIENCE), Ok(Readiness::Readable));
    assert_eq!(client.number(0, HEARD, 4), 4);
    let talker = thread::spawn(move || {
        (0..500).for_each(|_| source.write_all(b"!").unwrap());
        source
    });
    for value in 0..500u32 {
        client.write(0, SCRATCH, &value.to_le_bytes());
        assert_eq!(client.number(0, SCRATCH, 4), u64::from(value));
    }
    let source = talker.join().unwrap();
    while client.number(0, HEARD, 4) < 504 {}
    drop(source);
    while received.recv_timeout(PATIENCE) != Ok(Readiness::Closed) {}
    client.sync();
}

#[test]
fn a_device_that_does_not_read_starves_neither_its_client_nor_its_neighbour() {
    let (factory, mut source, received) = ear(false);
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (_, mut client) = puppet::add(&handle, factory);
    let (_, mut neighbour) = puppet::add(&handle, Puppet::factory(|_| {}));
    let _running = Running::start(server, Server::run);
    client.negotiate();
    neighbour.negotiate();
    listen(&mut client, 1);
    source.write_all(b"unheard").unwrap();
    (0..100).for_each(|_| assert!(received.recv_timeout(PATIENCE).is_ok(), "again and again"));
    for value in 0..100u32 {
        client.write(0, SCRATCH, &value.to_le_bytes());
        neighbour.write(0, Puppet::SCRATCH, &value.to_le_bytes());
        assert_eq!(client.number(0, SCRATCH, 4), u64::from(value));
    }
    // Until it does not listen any more.
    listen(&mut client, 0);
    received.try_iter().for_each(drop);
    client.sync();
    assert!(received.try_recv().is_err());
}

#[test]
fn what_is_watched_outlasts_its_client_but_not_a_panic() {
    let (factory, mut source, received) = ear(true);
    let running = Running::at_path(factory);
    let mut client = running.client();
    listen(&mut client, 1);
    drop(client);
    source.write_all(b"x").unwrap();
    assert_eq!(received.recv_timeout(PATIENCE), Ok(Readiness::Readable));
    let mut client = running.client();
    assert_eq!(client.number(0, HEARD, 4), 1);
    listen(&mut client, PANIC);
    source.write_all(b"x").unwrap();
    client.expect_closed();
    let mut client = running.client();
    assert_eq!(client.number(0, HEARD, 4), 0, "a new device");
    assert!(received.try_recv().is_err());
    drop((client, running));
    source.set_read_timeout(Some(PATIENCE)).unwrap();
    // What was not read makes the end a reset; a descriptor that was kept would make it a timeout.
    let end = source.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
}

#[test]
fn a_foreign_loop_is_woken_by_what_a_device_watches() {
    let (factory, mut source, received) = ear(true);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut server = Server::new().unwrap();
    server.add(Socket::from_stream(theirs).unwrap(), factory).unwrap();
    let client = thread::spawn(move || {
        let mut client = RawClient::new(ours);
        client.negotiate();
        listen(&mut client, 1);
        client
    });
    let is_ready = |server: &Server, timeout| {
        poll(&mut [PollFd::new(server.poll_fd(), PollFlags::POLLIN)], timeout).unwrap() > 0
    };
    while !client.is_finished() {
        server.process().unwrap();
    }
    let client = client.join().unwrap();
    while is_ready(&server, PollTimeout::ZERO) {
        server.process().unwrap();
    }
    source.write_all(b"x").unwrap();
    drop(source);
    assert!(is_ready(&server, PollTimeout::NONE));
    server.process().unwrap();
    assert_eq!(received.try_iter().collect::<Vec<_>>(), [Readiness::Closed]);
    assert!(!is_ready(&server, PollTimeout::ZERO), "that it is closed is reported once");
    drop(client);
}
