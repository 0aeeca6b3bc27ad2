//! Connections while a client is attached, and connections that never negotiate.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vfio_user::client::{AttachOptions, Client};
use vfio_user::{Error, Limits, Server, Socket};
use vfio_user_tests::journal::Call;
use vfio_user_tests::puppet::Puppet;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno, flag};
use vfio_user_tests::zoo::{Kit, Zoo, reg};

/// Limits by which a connection has this many milliseconds to negotiate.
fn negotiation(millis: u64) -> Limits {
    let mut limits = Limits::default();
    limits.negotiation = Duration::from_millis(millis);
    limits
}

fn version() -> Vec<u8> {
    wire::message(7, command::VERSION, 0, &wire::version(0, "{}"))
}

/// A connection that is refused: an error reply to its first message, and the end.
#[track_caller]
fn expect_refused(path: &Path) {
    let second = RawClient::connect(path);
    second.send(&version(), &[]);
    second.answer_to(7, command::VERSION).fails_with(errno::EBUSY);
    second.expect_closed();
}

#[track_caller]
fn expect_in_use(path: &Path) {
    let error = Client::attach_with(path, AttachOptions::default()).unwrap_err();
    assert!(matches!(error, Error::DeviceInUse), "{error}");
    assert_eq!(error.to_string(), "another client is attached to the device");
}

#[test]
fn a_second_client_is_refused_and_the_first_goes_on() {
    let (running, kit) = serve::zoo_at_path();
    let mut first = running.client();
    for round in 0..30u32 {
        expect_refused(running.path());
        first.write(0, reg::SCRATCH, &round.to_le_bytes());
        assert_eq!(first.number(0, reg::SCRATCH, 4), u64::from(round));
    }
    expect_in_use(running.path());
    assert_eq!(kit.journal.take(), [Call::Started, Call::Connected]);
    drop(first);
    running.client().sync();
}

/// Also while the first one is never idle, and while its device waits for a worker.
#[test]
fn a_second_client_is_refused_however_busy_the_first_is() {
    let (running, _kit) = serve::zoo_at_path();
    let mut first = running.client();
    first.write(0, reg::KEEP, &[1, 0, 0, 0]);
    for keep in [1, 0] {
        first.write(0, reg::KEEP, &[keep, 0, 0, 0]);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let busy = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    first.sync();
                }
            });
            (0..5).for_each(|_| expect_refused(running.path()));
            done.store(true, Ordering::Relaxed);
            busy.join().unwrap();
        });
    }
}

#[test]
fn a_second_client_is_refused_whatever_it_begins_with() {
    let (running, _kit) = serve::zoo_at_path();
    let mut first = running.client();
    let read = wire::access(0, reg::SCRATCH, 4);
    for (command, payload) in [(command::REGION_READ, &read[..]), (99, &[]), (command::RESET, &[])]
    {
        let second = RawClient::connect(running.path());
        second.send(&wire::message(3, command, 0, payload), &[]);
        second.answer_to(3, command).fails_with(errno::EBUSY);
        second.expect_closed();
    }
    for (command, flags) in [(command::VERSION, flag::NO_REPLY), (command::VERSION, flag::REPLY)] {
        let second = RawClient::connect(running.path());
        second.send(&wire::message(3, command, flags, &[]), &[]);
        second.expect_closed();
    }
    first.sync();
}

#[test]
fn one_that_leaves_makes_room_for_the_next_at_once() {
    let (running, _kit) = serve::zoo_at_path();
    for round in 0..300u32 {
        let mut client = running.client();
        // With messages that the server has not handled when the next one comes.
        for _ in 0..round % 20 {
            client.posted_write(0, reg::SCRATCH, &round.to_le_bytes());
        }
    }
}

#[test]
fn silent_connections_keep_the_device_from_no_client() {
    let (running, kit) = serve::zoo_at_path();
    let parts: Vec<_> = (0..40)
        .map(|number| {
            let silent = RawClient::connect(running.path());
            let part = &version()[..number % 20];
            if !part.is_empty() {
                silent.send(part, &[]);
            }
            silent
        })
        .collect();
    for _ in 0..3 {
        running.client().sync();
    }
    drop(parts);
    running.client().sync();
    let calls = kit.journal.take();
    let connected = calls.iter().filter(|call| **call == Call::Connected).count();
    assert_eq!(connected, 4, "{calls:?}");
}

#[test]
fn a_silent_connection_is_dropped_in_time() {
    for has_client in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.sock");
        let server = Server::bind(&path).unwrap();
        let server = server.limits(negotiation(50));
        let _running = Running::start(server, |server| server.serve(Puppet::factory(|_| {})));
        let mut client = RawClient::connect(&path);
        if has_client {
            client.negotiate();
        }
        for part in [0, 1, 15, 16, 17] {
            let silent = RawClient::connect(&path);
            if part > 0 {
                silent.send(&version()[..part], &[]);
            }
            silent.expect_closed();
        }
        if has_client {
            client.sync();
        } else {
            client.expect_closed();
        }
    }
}

/// No other client can connect there.
#[test]
fn a_connection_that_was_given_may_take_its_time() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let server = server.limits(negotiation(1));
    let _running = Running::start(server, |server| server.serve(Puppet::factory(|_| {})));
    thread::sleep(Duration::from_millis(100));
    RawClient::new(ours).negotiate();
}

#[test]
fn a_device_is_disconnected_from_clients_that_were_connected() {
    let (running, kit) = serve::zoo_at_path();
    let wrong_major = [&[1, 0, 0, 0][..], b"{}\0"].concat();
    let firsts = [
        vec![],
        version()[..9].to_vec(),
        wire::message(1, command::RESET, 0, &[]),
        wire::message(1, command::VERSION, 0, &wrong_major),
        wire::message(1, command::VERSION, 0, &wire::version(0, "{")),
        wire::message(1, command::VERSION, flag::REPLY, &wire::version(0, "{}")),
        wire::header(1, command::VERSION, 3, 0),
        wire::header(1, command::VERSION, u32::MAX, 0),
        wire::header(1, command::VERSION, 8 << 20, 0),
    ];
    for first in &firsts {
        let client = RawClient::connect(running.path());
        if !first.is_empty() {
            client.send(first, &[]);
        }
        if first.len() > 9 {
            client.drain_to_end();
        }
    }
    drop(running.client());
    running.client().sync();
    let calls = kit.journal.take();
    let expected = [Call::Started, Call::Connected, Call::Disconnected, Call::Connected];
    assert_eq!(calls, expected);
}

#[test]
fn a_server_for_one_client_waits_for_one_that_negotiates() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let server = Server::bind(&path).unwrap().once();
    let running = Running::start(server, |server| server.serve(Puppet::factory(|_| {})));
    drop(RawClient::connect(&path));
    let wrong = RawClient::connect(&path);
    wrong.send(&wire::message(1, command::RESET, 0, &[]), &[]);
    wrong.drain_to_end();
    let mut client = RawClient::connect(&path);
    client.negotiate();
    expect_refused(&path);
    drop(client);
    running.join().unwrap();
}

#[test]
fn a_handle_disconnects_a_client() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let kit = Kit::default();
    let id = handle.add(Socket::bind(&path).unwrap(), Zoo::factory(&kit)).unwrap();
    let _running = Running::start(server, Server::run);
    handle.disconnect(id);
    for round in 0..5 {
        let mut client = RawClient::connect(&path);
        client.negotiate();
        if round % 2 == 0 {
            client.sync();
        }
        handle.disconnect(id);
        client.drain_to_end();
    }
    handle.remove(id);
    handle.disconnect(id);
    let calls = kit.journal.take();
    let count = |wanted: Call| calls.iter().filter(|call| **call == wanted).count();
    assert_eq!(count(Call::Connected), count(Call::Disconnected), "{calls:?}");
}
