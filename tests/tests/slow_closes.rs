//! Descriptors whose `close(2)` takes long: whatever comes with them is answered meanwhile, and in
//! the end they are closed. These tests count descriptors of the whole process, so they run one at
//! a time and in a program of their own.

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use vfio_user::protocol::RegionIndex::Bar0;
use vfio_user::{Error, EventFd, Server};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::scripted::{attached, reply};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, errno, flag, irq};
use vfio_user_tests::zoo::{Kit, Zoo};
use vfio_user_tests::{PATIENCE, files};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sockets whose last close waits for a peer that does not read, until that is dropped.
#[derive(Default)]
struct Slow(Vec<TcpStream>);

impl Slow {
    /// One more of them.
    fn socket(&mut self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Little room, so that it is soon full.
        setsockopt(&listener, sockopt::RcvBuf, &2048).unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        self.0.push(listener.accept().unwrap().0);
        setsockopt(&socket, sockopt::SndBuf, &4096).unwrap();
        let lingers = linger { l_onoff: 1, l_linger: 600 };
        setsockopt(&socket, sockopt::Linger, &lingers).unwrap();
        socket.set_nonblocking(true).unwrap();
        // What the kernel still carries over makes room.
        let mut refusals = 0;
        while refusals < 3 {
            let wrote = socket.write(&[0; 1 << 12]).map_err(|error| error.kind());
            if wrote.is_err() {
                assert_eq!(wrote, Err(ErrorKind::WouldBlock));
                refusals += 1;
                thread::sleep(Duration::from_millis(1));
            }
        }
        socket.set_nonblocking(false).unwrap();
        socket
    }

    fn sockets(&mut self, count: usize) -> Vec<TcpStream> {
        (0..count).map(|_| self.socket()).collect()
    }

    /// Sends a message with such sockets. The receiver has the last descriptors of them when it
    /// gets the whole message.
    fn send(&mut self, client: &RawClient, message: &[u8], count: usize) {
        let sockets = self.sockets(count);
        client.send(&message[..8], &files::borrow(&sockets));
        drop(sockets);
        // A server that has closed the connection is what some tests wait for.
        let _ = client.try_send(&message[8..], &[]);
    }

    /// Lets all of them close, and waits until the process has as many descriptors as before.
    fn end(self, open: usize) {
        drop(self);
        let late = Instant::now() + PATIENCE;
        while files::count_open() != open {
            let left = files::count_open();
            assert!(Instant::now() < late, "{left} descriptors are open, {open} were");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Sends a request with `count` slow sockets, and checks that it is answered, and the next one.
#[track_caller]
fn ask(slow: &mut Slow, client: &mut RawClient, command: u16, payload: &[u8], count: usize) {
    let id = client.id();
    slow.send(client, &wire::message(id, command, 0, payload), count);
    client.answer_to(id, command);
    client.sync();
}

#[test]
fn their_close_waits_on_this_system() {
    let _alone = alone();
    let mut slow = Slow::default();
    let socket = slow.socket();
    let closing = thread::spawn(move || drop(socket));
    thread::sleep(Duration::from_millis(300));
    assert!(!closing.is_finished(), "close(2) of a full socket that lingers waits");
    drop(slow);
    closing.join().unwrap();
}

#[test]
fn every_command_is_answered() {
    let _alone = alone();
    let (_running, mut client, _kit) = serve::zoo();
    client.sync();
    let (open, mut slow) = (files::count_open(), Slow::default());
    for command in 0..20 {
        for payload in [vec![], vec![0; 32], vec![0xff; 64]] {
            ask(&mut slow, &mut client, command, &payload, 1);
        }
    }
    slow.end(open);
}

fn refused_maps() -> Vec<(Vec<u8>, usize)> {
    let map = |flags, offset, iova, size, count| (wire::dma_map(flags, offset, iova, size), count);
    vec![
        map(dma::BOTH, 0, 0, 0, 1),
        map(dma::BOTH, 0, u64::MAX - 0xfff, 0x2000, 1),
        map(dma::BOTH, 0, 0, 0x1000, 1),
        map(dma::BOTH, u64::MAX, 0, 0x1000, 1),
        map(dma::BOTH, 0, 0, 0x1000, 2),
        map(dma::READ | dma::FILE_IO, 0, 0, 0x1000, 1),
        map(dma::READ | dma::MMAP, 0, 0, 0x1000, 1),
        map(dma::BOTH | dma::MMAP | dma::FILE_IO, 0, 0, 0x1000, 1),
        map(0, 0, 0, 0x1000, 1),
        map(u32::MAX, 0, 0, 0x1000, 1),
    ]
}

#[test]
fn every_refused_map_is_answered() {
    let _alone = alone();
    for any in [false, true] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = Server::from_stream(theirs).unwrap();
        let server = if any { server.any_memory_file() } else { server };
        let kit = Kit::default();
        let _running = Running::start(server, move |server| server.serve(Zoo::factory(&kit)));
        let mut client = RawClient::new(ours);
        client.negotiate();
        client.sync();
        let (open, mut slow) = (files::count_open(), Slow::default());
        for (payload, count) in refused_maps() {
            let id = client.id();
            slow.send(&client, &wire::message(id, command::DMA_MAP, 0, &payload), count);
            let answer = client.answer_to(id, command::DMA_MAP);
            // Of a TCP socket some memory can be mapped to be read.
            assert!(any || answer.errno().is_some(), "{payload:?}");
            client.sync();
            client.dma_unmap(dma::UNMAP_ALL, 0, 0).unwrap();
            client.sync();
        }
        // Memory is taken as before.
        let memory = files::memory(0x1000);
        client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
        client.dma_unmap(0, 0, 0x1000).unwrap();
        drop(memory);
        slow.end(open);
    }
}

#[test]
fn interrupts_are_not_assigned_to_them() {
    let _alone = alone();
    let (_running, mut client, _kit) = serve::zoo();
    client.sync();
    let (open, mut slow) = (files::count_open(), Slow::default());
    for action in [irq::TRIGGER, irq::MASK, irq::UNMASK] {
        for (data, count) in [(irq::EVENTFD, 1), (irq::NONE, 1), (irq::EVENTFD, 3)] {
            for index in [irq::INTX, irq::MSIX, 99] {
                let payload = wire::set_irqs(data | action, index, 0, 1);
                ask(&mut slow, &mut client, command::SET_IRQS, &payload, count);
            }
        }
    }
    // All or none, whatever comes first.
    let eventfd = EventFd::new().unwrap();
    let sockets = slow.sockets(2);
    let fds: Vec<BorrowedFd<'_>> =
        [sockets[0].as_fd(), eventfd.as_fd(), sockets[1].as_fd(), eventfd.as_fd()].to_vec();
    let (id, flags) = (client.id(), irq::EVENTFD | irq::TRIGGER);
    let message = wire::message(id, command::SET_IRQS, 0, &wire::set_irqs(flags, irq::MSIX, 0, 4));
    client.send(&message[..8], &fds);
    drop(sockets);
    client.send(&message[8..], &[]);
    client.answer_to(id, command::SET_IRQS).fails_with(errno::EINVAL);
    client.sync();
    assert_eq!(files::count_eventfd(&eventfd), 1);
    drop(eventfd);
    slow.end(open);
}

#[test]
fn what_is_no_request_is_skipped() {
    let _alone = alone();
    let (_running, mut client, _kit) = serve::zoo();
    client.sync();
    let (open, mut slow) = (files::count_open(), Slow::default());
    let size = 16 + (4 << 20);
    let large = [wire::header(7, command::DMA_MAP, size, 0), vec![0; 4 << 20]].concat();
    slow.send(&client, &large, 3);
    client.answer_to(7, command::DMA_MAP);
    for flags in [flag::REPLY, flag::REPLY | flag::ERROR, flag::NO_REPLY] {
        for command in [command::DMA_MAP, command::DMA_READ, 77] {
            slow.send(&client, &wire::message(7, command, flags, &[0; 32]), 2);
            client.sync();
        }
    }
    slow.end(open);
}

#[test]
fn connections_that_are_refused_keep_nothing_waiting() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.sync();
    let (open, mut slow) = (files::count_open(), Slow::default());
    let version = wire::message(1, command::VERSION, 0, &wire::version(0, "{}"));
    for message in [&version, &wire::message(1, command::DMA_MAP, 0, &[0; 32])] {
        let second = RawClient::connect(running.path());
        slow.send(&second, message, 1);
        second.answer_to(1, u16::from_le_bytes([message[2], message[3]])).fails_with(errno::EBUSY);
        second.expect_closed();
        client.sync();
    }
    // Half a message; more connections than may be without a version; no message at all.
    let early: Vec<_> = (0..20).map(|_| RawClient::connect(running.path())).collect();
    for early in &early {
        let sockets = slow.sockets(1);
        let _ = early.try_send(&version[..8], &files::borrow(&sockets));
        client.sync();
        // What the server has not received yet it closes, not this thread.
        client.sync();
        thread::spawn(move || drop(sockets));
    }
    drop(early);
    client.sync();
    let broken = RawClient::connect(running.path());
    slow.send(&broken, &wire::header(1, command::VERSION, 3, 0), 1);
    broken.expect_closed();
    drop(broken);
    client.sync();
    slow.end(open);
}

#[test]
fn a_version_with_them_is_refused() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.sync();
    let (open, mut slow) = (files::count_open() - 2, Slow::default());
    drop(client);
    for payload in [wire::version(0, "{}"), vec![0xff; 9], vec![]] {
        let client = RawClient::connect(running.path());
        slow.send(&client, &wire::message(1, command::VERSION, 0, &payload), 2);
        client.answer_to(1, command::VERSION).fails_with(errno::EINVAL);
        client.expect_closed();
        running.client().sync();
    }
    slow.end(open);
}

/// Those that have not been received when a session ends are closed with its socket.
#[test]
fn a_session_ends_with_some_that_were_not_received() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.sync();
    let (open, mut slow) = (files::count_open() - 2, Slow::default());
    drop(client);
    for _ in 0..3 {
        let client = running.client();
        // What breaks the connection is received together with no later descriptor.
        let sockets = slow.sockets(4);
        let broken = wire::header(1, command::VERSION, 3, 0);
        let _ = client.try_send(&broken, &[sockets[0].as_fd()]);
        for socket in &sockets[1..] {
            let _ = client.try_send(&wire::message(1, 77, 0, &[]), &[socket.as_fd()]);
        }
        thread::spawn(move || drop(sockets));
        client.drain_to_end();
        drop(client);
        running.client().sync();
    }
    slow.end(open);
}

#[test]
fn only_the_client_that_sends_too_many_is_disconnected() {
    let _alone = alone();
    let server = Server::new().unwrap();
    let handle = server.handle();
    let kits = [Kit::default(), Kit::default()];
    let mut clients: Vec<_> =
        kits.iter().map(|kit| vfio_user_tests::puppet::add(&handle, Zoo::factory(kit)).1).collect();
    let _running = Running::start(server, Server::run);
    for client in &mut clients {
        client.negotiate();
        client.sync();
    }
    let (open, mut slow) = (files::count_open(), Slow::default());
    let [good, bad] = &mut clients[..] else { unreachable!() };
    for _ in 0..4 {
        slow.send(bad, &wire::message(1, 77, 0, &[]), 100);
        good.sync();
    }
    bad.drain_to_end();
    good.sync();
    // The other device's are closed while this one's wait.
    let mut quick = Slow::default();
    ask(&mut quick, good, 77, &[], 10);
    drop(quick);
    good.sync();
    // The device of the connection that has ended is gone: the server's end, and its bell.
    slow.end(open - 2);
}

#[test]
fn our_client_returns_whatever_a_server_sends() {
    let _alone = alone();
    let (open, mut slow) = (files::count_open(), Slow::default());
    let sockets = slow.sockets(4);
    let (client, thread) = attached(move |server| {
        let mut sockets = sockets.into_iter();
        let mut give = |payload: &[u8]| {
            let request = server.receive();
            let message = wire::message(request.id, request.command, flag::REPLY, payload);
            let socket = sockets.next().unwrap();
            server.send(&message[..8], &[socket.as_fd()]);
            drop(socket);
            server.send(&message[8..], &[]);
        };
        let region = |flags| [wire::words(&[32, flags, 0, 0]), wire::longs(&[0x1000, 0])].concat();
        // Readable and writable, one that can be mapped, and one that cannot.
        give(&region(7));
        give(&region(3));
        let doorbell = [wire::longs(&[0, 4]), wire::words(&[0, 0, 0, 0]), wire::longs(&[0])];
        give(&region(3));
        // First the client asks how much room it needs.
        reply(&server, &server.receive(), &wire::words(&[16 + 40, 0, 0, 1]));
        give(&[wire::words(&[16 + 40, 0, 0, 1]), doorbell.concat()].concat());
    });
    let details = client.region_details(Bar0).unwrap();
    assert_eq!(details.files.len(), 1);
    assert!(details.map().is_err());
    drop(details);
    assert!(client.region_details(Bar0).unwrap().files.is_empty());
    let bells = client.ioeventfds(Bar0);
    assert!(matches!(bells, Err(Error::Malformed { .. })), "{bells:?}");
    drop(client);
    let _ = thread.join();
    slow.end(open);
}
