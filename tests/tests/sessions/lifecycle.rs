//! Clients that come and go, servers that end, devices that fail.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};

use vfio_user::{Error, EventFd, Server};
use vfio_user_tests::journal::Call;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, errno, irq};
use vfio_user_tests::zoo::{Kit, Zoo, dma_go, dma_status, reg};
use vfio_user_tests::{PATIENCE, files};

fn set(client: &mut RawClient, register: u64, value: u32) {
    client.write(0, register, &value.to_le_bytes());
}

fn zoo_server(server: Server, kit: &Kit) -> Running {
    let factory = Zoo::factory(kit);
    Running::start(server, |server| server.serve(factory))
}

/// Messages of a whole life, each with what goes along.
fn life(memory: &fs::File, interrupt: &EventFd) -> Vec<(Vec<u8>, Option<OwnedFd>)> {
    let map = wire::dma_map(dma::BOTH, 0, 0, 0x1000);
    let assign = |index| wire::set_irqs(irq::EVENTFD | irq::TRIGGER, index, 0, 1);
    let eventfd = || Some(OwnedFd::from(interrupt.try_clone().unwrap()));
    let unmask = wire::set_irqs(irq::EVENTFD | irq::UNMASK, irq::INTX, 0, 1);
    let steps = [
        (command::VERSION, wire::version(0, "{}"), None),
        (command::DMA_MAP, map, Some(memory.try_clone().unwrap().into())),
        (command::GET_INFO, wire::words(&[16, 0, 0, 0]), None),
        (command::GET_REGION_INFO, wire::region_info(32, 0), None),
        (command::REGION_READ, wire::access(7, 0, 4096), None),
        (command::SET_IRQS, assign(irq::INTX), eventfd()),
        (command::SET_IRQS, unmask, eventfd()),
        (command::SET_IRQS, assign(irq::MSIX), eventfd()),
        (command::REGION_WRITE, wire::write(0, reg::RAISE, &[0; 4]), None),
        (command::REGION_WRITE, wire::write(0, reg::POST, &[1, 0, 0, 0]), None),
        (command::REGION_WRITE, wire::write(0, 0, &[0xff; 0x200]), None),
        (command::RESET, vec![], None),
        (command::DMA_UNMAP, wire::dma_unmap(0, 0, 0x1000), None),
    ];
    let message =
        |(command, payload, fd): (u16, Vec<u8>, _)| (wire::message(1, command, 0, &payload), fd);
    steps.into_iter().map(message).collect()
}

#[test]
fn a_client_may_be_killed_at_any_message_and_in_the_middle_of_it() {
    let (running, _kit) = serve::zoo_at_path();
    let memory = files::memory(0x1000);
    let interrupt = EventFd::new().unwrap();
    let life_of_one = life(&memory, &interrupt);
    for last in 0..life_of_one.len() {
        for share in [0, 1, 15, 16, 17, usize::MAX] {
            let client = RawClient::connect(running.path());
            for (bytes, fd) in &life_of_one[..last] {
                client.send(bytes, &files::borrow(fd.as_slice()));
            }
            let (bytes, fd) = &life_of_one[last];
            let part = &bytes[..share.min(bytes.len())];
            if !part.is_empty() {
                client.send(part, &files::borrow(fd.as_slice()));
            }
            drop(client);
            let mut next = running.client();
            // It is served as if there had been no client before.
            let value = u32::try_from(last).unwrap() + 1;
            set(&mut next, reg::SCRATCH, value);
            assert_eq!(next.number(0, reg::SCRATCH, 4), u64::from(value), "message {last}");
            let held = life_of_one.iter().filter(|(bytes, fd)| {
                fd.is_some() && wire::number(&bytes[2..4]) == u64::from(command::SET_IRQS)
            });
            assert_eq!(files::count_eventfd(&interrupt), held.count() + 1, "message {last}");
            assert_eq!(files::count_mappings(&memory), 0, "message {last}");
        }
    }
}

#[test]
fn registers_survive_a_reconnect_and_memory_and_eventfds_do_not() {
    let (running, _kit) = serve::zoo_at_path();
    let memory = files::memory(0x1000);
    let interrupt = EventFd::new().unwrap();
    let mut client = running.client();
    set(&mut client, reg::SCRATCH, 0xcafe);
    set(&mut client, reg::LEVEL, 1 << 16);
    client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
    client.assign(irq::MSIX, 5, &[interrupt.as_fd()]);
    drop(client);

    let mut client = running.client();
    assert_eq!(client.number(0, reg::SCRATCH, 4), 0xcafe);
    set(&mut client, reg::DMA_GO, dma_go::READ);
    assert_eq!(client.number(0, reg::DMA_STATUS, 4), u64::from(dma_status::UNMAPPED));
    set(&mut client, reg::RAISE, 5);
    assert_eq!(interrupt.take(), None);
    client.assign(irq::INTX, 0, &[interrupt.as_fd()]);
    assert_eq!(interrupt.take(), Some(1), "a level is part of the device's state");
}

#[test]
fn a_device_is_notified_of_its_clients() {
    let (running, kit) = serve::zoo_at_path();
    drop(RawClient::connect(running.path()));
    drop(running.client());
    let mut client = running.client();
    client.sync();
    let calls = kit.journal.take();
    let expected = [Call::Started, Call::Connected, Call::Disconnected, Call::Connected];
    assert_eq!(calls, expected, "one that leaves without a version was no client");
}

#[test]
fn clients_that_say_nothing_are_no_trouble() {
    let (running, kit) = serve::zoo_at_path();
    let mut silent = Vec::new();
    for round in 0..50 {
        let client = RawClient::connect(running.path());
        // Some stay, and say nothing for as long.
        if round % 10 == 0 { silent.push(client) } else { drop(client) }
    }
    let mut client = running.client();
    set(&mut client, reg::SCRATCH, 0xcafe);
    assert_eq!(client.number(0, reg::SCRATCH, 4), 0xcafe);
    assert_eq!(kit.journal.take(), [Call::Started, Call::Connected], "they were no clients");
    drop(silent);
    assert_eq!(client.number(0, reg::SCRATCH, 4), 0xcafe);
}

#[test]
fn a_client_that_has_said_everything_still_gets_its_answers() {
    let (running, mut client, _kit) = serve::zoo();
    let reads: Vec<u8> = (0..100)
        .flat_map(|id| wire::message(id, command::REGION_READ, 0, &wire::access(7, 0, 64)))
        .collect();
    client.sync();
    client.send(&reads, &[]);
    client.stream().shutdown(std::net::Shutdown::Write).unwrap();
    for id in 0..100 {
        assert_eq!(client.answer_to(id, command::REGION_READ).ok().len(), 16 + 64);
    }
    client.expect_closed();
    running.join().unwrap();
}

#[test]
fn a_client_that_does_not_take_its_answers_may_leave() {
    let (running, client) = serve::function(Ram::new());
    for _ in 0..3 {
        let read = wire::access(1, 0, 1 << 20);
        client.send(&wire::message(1, command::REGION_READ, 0, &read), &[]);
    }
    assert!(client.has_message(PATIENCE), "the server has begun to answer");
    drop(client);
    running.join().unwrap();
}

#[test]
fn a_stale_socket_is_replaced_and_removed_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "stale");
    for _ in 0..3 {
        let running = zoo_server(Server::bind(&path).unwrap(), &Kit::default());
        RawClient::connect(&path).negotiate();
        running.shutdown().shutdown();
        running.join().unwrap();
        assert!(!path.exists(), "removed");
    }
    drop(Server::bind(&path).unwrap());
    assert!(!path.exists(), "removed without ever serving");
}

#[test]
fn a_live_server_is_left_in_peace() {
    let (running, kit) = serve::zoo_at_path();
    let mut client = running.client();
    set(&mut client, reg::SCRATCH, 0xcafe);
    kit.journal.take();
    for _ in 0..2 {
        let error = Server::bind(running.path()).unwrap_err();
        assert!(matches!(&error, Error::SocketInUse(path) if path == running.path()), "{error}");
    }
    assert_eq!(client.number(0, reg::SCRATCH, 4), 0xcafe);
    assert_eq!(kit.journal.take(), [], "its client has noticed nothing");
    drop(client);
    // The next one finds it at the same path.
    assert_eq!(running.client().number(0, reg::SCRATCH, 4), 0xcafe);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let probes: Vec<_> = (0..5000).map_while(|_| fill_backlog(&path)).collect();
    let error = Server::bind(&path).unwrap_err();
    assert!(matches!(error, Error::SocketInUse(_)), "with {} waiting: {error}", probes.len());
}

/// Connects without waiting for room in the backlog.
fn fill_backlog(path: &std::path::Path) -> Option<OwnedFd> {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).ok()?;
    Some(socket)
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = dir.path().join("link");
    symlink(&file, &link).unwrap();
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("nothing"), &dangling).unwrap();
    for path in [&file, &link, &dangling, &dir.path().to_owned()] {
        let error = Server::bind(path).unwrap_err();
        assert!(matches!(&error, Error::NotASocket(at) if at == path), "{error}");
    }
    assert_eq!(fs::read_to_string(&link).unwrap(), "precious");
    let error = Server::bind(dir.path().join("no/such/dir")).unwrap_err();
    assert!(matches!(error, Error::Socket { .. }), "{error}");
    let error = Server::bind(dir.path().join("x".repeat(200))).unwrap_err();
    assert!(matches!(error, Error::Socket { .. }), "{error}");
}

#[test]
fn a_socket_that_another_process_has_replaced_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let server = Server::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(server);
    assert!(path.exists());
}

#[test]
fn a_shutdown_ends_a_server_that_waits_for_a_client_or_for_its_words() {
    let (running, _kit) = serve::zoo_at_path();
    running.shutdown().shutdown();
    running.join().unwrap();

    let (running, _kit) = serve::zoo_at_path();
    let (path, mut client) = (running.path().to_owned(), running.client());
    client.sync();
    running.shutdown().shutdown();
    running.join().unwrap();
    client.expect_closed();
    assert!(!path.exists());
}

#[test]
fn a_shutdown_before_the_start_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind(dir.path().join("s")).unwrap();
    server.shutdown_handle().shutdown();
    zoo_server(server, &Kit::default()).join().unwrap();
}

#[test]
fn a_shutdown_before_the_start_still_answers_what_is_there() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let client = RawClient::new(ours);
    let version = wire::message(1, command::VERSION, 0, &wire::version(0, "{}"));
    let info = wire::message(2, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0]));
    client.send(&[version, info].concat(), &[]);
    let server = Server::from_stream(theirs).unwrap();
    server.shutdown_handle().shutdown();
    let running = zoo_server(server, &Kit::default());
    assert_eq!(client.answer_to(1, command::VERSION).errno(), None);
    assert_eq!(client.answer_to(2, command::GET_INFO).errno(), None);
    client.expect_closed();
    running.join().unwrap();
}

#[test]
fn queued_requests_are_answered_before_a_shutdown() {
    let (running, mut client, kit) = serve::zoo();
    client.posted_write(0, reg::HOLD, &[0; 4]);
    kit.gate.wait_until_held();
    for id in 0..200 {
        let write = wire::write(0, reg::SCRATCH, &u32::from(id).to_le_bytes());
        client.send(&wire::message(id, command::REGION_WRITE, 0, &write), &[]);
    }
    running.shutdown().shutdown();
    kit.gate.open();
    for id in 0..200 {
        assert_eq!(client.answer_to(id, command::REGION_WRITE).errno(), None);
    }
    client.expect_closed();
    running.join().unwrap();
}

#[test]
fn a_shutdown_reaches_a_server_whose_client_takes_no_answers() {
    let (running, client) = serve::function(Ram::new());
    for _ in 0..3 {
        let read = wire::access(1, 0, 1 << 20);
        client.send(&wire::message(1, command::REGION_READ, 0, &read), &[]);
    }
    assert!(client.has_message(PATIENCE), "the server has begun to answer");
    running.shutdown().shutdown();
    running.join().unwrap();
}

#[test]
fn a_shutdown_reaches_a_server_that_waits_for_remotes_or_is_busy() {
    for register in [reg::KEEP, reg::CHAIN] {
        let (running, mut client, _kit) = serve::zoo();
        set(&mut client, register, 1);
        client.sync();
        running.shutdown().shutdown();
        running.join().unwrap();
        client.expect_closed();
    }
}

#[test]
fn a_server_for_one_client_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let running = zoo_server(Server::bind(&path).unwrap().once(), &Kit::default());
    RawClient::connect(&path).negotiate();
    running.join().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_given_listener_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let running = zoo_server(Server::from_fd(listener.into()).unwrap(), &Kit::default());
    for _ in 0..3 {
        RawClient::connect(&path).negotiate();
    }
    running.shutdown().shutdown();
    running.join().unwrap();
    assert!(path.exists(), "the file belongs to the process that made it");
}

#[test]
fn a_given_connection_is_served_blocking_or_not() {
    for nonblocking in [false, true] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(nonblocking).unwrap();
        let server = Server::from_fd(theirs.into()).unwrap();
        let running = zoo_server(server, &Kit::default());
        let mut client = RawClient::new(ours);
        client.negotiate();
        for value in [1, 0xffff_ffff, 0] {
            set(&mut client, reg::SCRATCH, value);
            assert_eq!(client.number(0, reg::SCRATCH, 4), u64::from(value), "{nonblocking}");
        }
        drop(client);
        running.join().unwrap();
    }
}

#[test]
fn what_is_no_unix_socket_cannot_be_served() {
    let (reader, _writer) = files::new_pipe();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for descriptor in [OwnedFd::from(reader), OwnedFd::from(udp)] {
        let fd = descriptor.as_raw_fd();
        let error = Server::from_fd(descriptor).unwrap_err();
        assert!(matches!(error, Error::Descriptor { fd: named, .. } if named == fd), "{error}");
    }
}

#[test]
fn a_panic_counts_even_if_its_client_is_gone_at_once() {
    let (running, kit) = serve::zoo_at_path();
    let client = RawClient::connect(running.path());
    let write = |id, register, value: u32| {
        let payload = wire::write(0, register, &value.to_le_bytes());
        wire::message(id, command::REGION_WRITE, 0, &payload)
    };
    let version = wire::message(1, command::VERSION, 0, &wire::version(0, "{}"));
    let messages = [version, write(2, reg::SCRATCH, 7), write(3, reg::PANIC, 1)].concat();
    client.send(&messages, &[]);
    drop(client);
    kit.journal.wait_for(2, |call| *call == Call::Started);
    assert_eq!(running.client().number(0, reg::SCRATCH, 4), 0, "a new device");
}

#[test]
fn a_panic_ends_the_session_with_an_error_and_the_next_client_gets_a_new_device() {
    let (running, kit) = serve::zoo_at_path();
    let interrupt = EventFd::new().unwrap();
    let memory = files::memory(0x1000);
    for _ in 0..3 {
        let mut client = running.client();
        set(&mut client, reg::SCRATCH, 7);
        client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
        client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
        kit.journal.take();
        let write = wire::write(0, reg::PANIC, &[1, 0, 0, 0]);
        let queued = wire::message(9, command::RESET, 0, &[]);
        let panic = wire::message(8, command::REGION_WRITE, 0, &write);
        client.send(&[panic, queued].concat(), &[]);
        client.answer_to(8, command::REGION_WRITE).fails_with(errno::EIO);
        client.expect_closed();

        let mut client = running.client();
        assert_eq!(client.number(0, reg::SCRATCH, 4), 0, "a new device");
        assert_eq!(client.number(0, 0x90, 4), u64::from(Zoo::CONSTRUCTED));
        assert_eq!(kit.journal.take(), [Call::Started, Call::Connected]);
        assert_eq!(files::count_eventfd(&interrupt), 1);
        assert_eq!(files::count_mappings(&memory), 0);
    }
}

#[test]
fn a_panic_in_a_posted_write_is_silent() {
    let (running, kit) = serve::zoo_at_path();
    let mut client = running.client();
    set(&mut client, reg::SCRATCH, 0xcafe);
    kit.journal.take();
    client.posted_write(0, reg::PANIC, &[1, 0, 0, 0]);
    // No answer, not even an error.
    client.expect_closed();
    let mut next = running.client();
    assert_ne!(next.number(0, reg::SCRATCH, 4), 0xcafe, "the device was made anew");
    assert_eq!(kit.journal.take(), [Call::Started, Call::Connected]);
}

#[test]
fn a_device_that_cannot_be_made_ends_the_server() {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let outcome = server.serve_functions(|| Err(Error::device("no")));
    assert!(matches!(outcome, Err(Error::Device(_))), "{outcome:?}");
}

/// A client that finds the socket can connect: it appears when the server listens.
#[test]
fn a_socket_that_is_there_listens() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..300 {
        let path = dir.path().join(format!("{round}.sock"));
        let awaited = path.clone();
        let client = std::thread::spawn(move || {
            loop {
                match UnixStream::connect(&awaited) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    connected => return connected.map(drop),
                }
            }
        });
        let server = Server::bind(&path).unwrap();
        client.join().unwrap().unwrap();
        drop(server);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}
