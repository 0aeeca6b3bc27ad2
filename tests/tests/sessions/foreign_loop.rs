//! A server in the event loop of another library.

use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use vfio_user::{Server, Socket};
use vfio_user_tests::journal::Call;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::stepped::{has_work, settle};
use vfio_user_tests::wire::{self, command};
use vfio_user_tests::zoo::{Kit, Zoo, reg};

/// What several clients, one after the other and at once, do to a device each.
fn exercise(path: &std::path::Path, kit: &Kit) {
    for round in 0..20u32 {
        let mut clients = [RawClient::connect(path), RawClient::connect(&path.with_extension("2"))];
        for client in &mut clients {
            client.negotiate();
            client.write(0, reg::SCRATCH, &round.to_le_bytes());
            assert_eq!(client.number(0, reg::SCRATCH, 4), u64::from(round));
        }
        clients[0].write(0, reg::WORKER, &[5, 0, 0, 0]);
        clients[0].write(0, reg::POST, &[9, 0, 0, 0]);
        kit.journal.wait_for(6, |call| matches!(call, Call::Event(_)));
    }
}

fn two_zoos(dir: &std::path::Path, kit: &Kit) -> Server {
    let server = Server::new().unwrap();
    for name in ["zoo.sock", "zoo.2"] {
        server.add(Socket::bind(dir.join(name)).unwrap(), Zoo::factory(kit)).unwrap();
    }
    server
}

#[test]
fn a_loop_that_polls_serves_devices() {
    let (dir, kit) = (tempfile::tempdir().unwrap(), Kit::default());
    let mut server = two_zoos(dir.path(), &kit);
    let shutdown = server.shutdown_handle();
    let path = dir.path().join("zoo.sock");
    let clients = thread::spawn(move || {
        exercise(&path, &kit);
        shutdown.shutdown();
    });
    while server.process().unwrap() {
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
    }
    clients.join().unwrap();
}

#[test]
fn the_descriptor_nests_in_another_epoll_set() {
    let (dir, kit) = (tempfile::tempdir().unwrap(), Kit::default());
    let mut server = two_zoos(dir.path(), &kit);
    let shutdown = server.shutdown_handle();
    let path = dir.path().join("zoo.sock");
    let clients = thread::spawn(move || {
        exercise(&path, &kit);
        shutdown.shutdown();
    });
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    epoll.add(server.poll_fd(), EpollEvent::new(EpollFlags::EPOLLIN, 7)).unwrap();
    let mut events = [EpollEvent::empty(); 2];
    while server.process().unwrap() {
        epoll.wait(&mut events, EpollTimeout::NONE).unwrap();
        assert_eq!(events[0].data(), 7);
    }
    clients.join().unwrap();
}

#[test]
fn it_never_waits_for_a_client_nor_for_the_rest_of_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let mut server = Server::new().unwrap();
    server.add(Socket::bind(&path).unwrap(), Puppet::factory(|_| {})).unwrap();
    settle(&mut server);
    let client = RawClient::connect(&path);
    let version = wire::message(1, command::VERSION, 0, &wire::version(0, "{}"));
    for byte in &version {
        settle(&mut server);
        client.send(std::slice::from_ref(byte), &[]);
    }
    settle(&mut server);
    assert_eq!(client.answer_to(1, command::VERSION).errno(), None);
    settle(&mut server);
}

#[test]
fn it_never_waits_for_room_in_a_socket() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut server = Server::new().unwrap();
    let ram = || Ok(Box::new(Ram::new()) as Box<dyn vfio_user::function::Function>);
    server.add_function(Socket::from_stream(theirs).unwrap(), ram).unwrap();
    let client = RawClient::new(ours);
    let version = wire::message(0, command::VERSION, 0, &wire::version(0, "{}"));
    client.send(&version, &[]);
    for id in 1..=5 {
        let read = wire::access(1, 0, 1 << 20);
        client.send(&wire::message(id, command::REGION_READ, 0, &read), &[]);
    }
    settle(&mut server);
    let reader = thread::spawn(move || {
        client.answer_to(0, command::VERSION);
        for id in 1..=5 {
            assert_eq!(client.answer_to(id, command::REGION_READ).ok().len(), 16 + (1 << 20));
        }
    });
    while server.process().unwrap() {
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
    }
    reader.join().unwrap();
}

#[test]
fn more_than_one_turn_of_work_keeps_the_descriptor_readable() {
    let (mut server, clients) = puppet::idle(2);
    let version = wire::message(0, command::VERSION, 0, &wire::version(0, "{}"));
    let read = wire::message(1, command::REGION_READ, 0, &wire::access(0, Puppet::SCRATCH, 4));
    clients[0].send(&[version, read.repeat(500)].concat(), &[]);
    // All has arrived: from now on only work that is left can make the descriptor readable.
    let mut turns = 0;
    while has_work(&server, 0) {
        assert!(server.process().unwrap());
        turns += 1;
    }
    assert!(turns > 1, "it was one turn");
    assert_eq!(clients[0].answer_to(0, command::VERSION).errno(), None);
    for _ in 0..500 {
        assert!(clients[0].has_message(Duration::ZERO), "an answer is missing after {turns} turns");
        assert_eq!(clients[0].answer_to(1, command::REGION_READ).ok().len(), 16 + 4);
    }
}
