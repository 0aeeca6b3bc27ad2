//! Many devices in one server: that they share a thread and nothing else.

use std::collections::HashSet;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use vfio_user::{Error, Server, Socket};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::journal::{Call, Gate};
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, errno, flag};
use vfio_user_tests::zoo::{Kit, Zoo, reg};

fn act(value: u32) -> Vec<u8> {
    let write = wire::write(0, Puppet::ACT, &value.to_le_bytes());
    wire::message(1, command::REGION_WRITE, flag::NO_REPLY, &write)
}

fn version() -> Vec<u8> {
    wire::message(0, command::VERSION, 0, &wire::version(0, "{}"))
}

/// A server with one well-behaved client, and one that is going to be none.
fn neighbours() -> (Running, RawClient, RawClient) {
    let (server, mut clients) = puppet::idle(2);
    let running = Running::start(server, Server::run);
    for client in &mut clients {
        client.negotiate();
    }
    let (bad, good) = (clients.remove(0), clients.remove(0));
    (running, good, bad)
}

fn is_served(client: &mut RawClient) {
    for value in 0..200u32 {
        client.write(0, Puppet::SCRATCH, &value.to_le_bytes());
        assert_eq!(client.number(0, Puppet::SCRATCH, 4), u64::from(value));
    }
}

#[test]
fn each_client_has_a_device_of_its_own() {
    let (server, mut clients) = puppet::idle(20);
    let _running = Running::start(server, Server::run);
    for (value, client) in (0u32..).zip(&mut clients) {
        client.negotiate();
        client.write(0, Puppet::SCRATCH, &value.to_le_bytes());
    }
    for (value, client) in (0..).zip(&mut clients) {
        assert_eq!(client.number(0, Puppet::SCRATCH, 4), value);
    }
}

#[test]
fn a_message_that_never_ends_delays_no_other_client() {
    let (_running, mut good, bad) = neighbours();
    let message = wire::message(1, command::REGION_WRITE, 0, &wire::write(0, 4, &[0; 0x800]));
    for part in [&message[..7], &message[7..16], &message[16..100]] {
        bad.send(part, &[]);
        is_served(&mut good);
    }
    bad.send(&message[100..], &[]);
    assert_eq!(bad.answer_to(1, command::REGION_WRITE).errno(), None);
}

#[test]
fn a_client_that_takes_no_answers_delays_no_other_and_is_not_read_from() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (_, mut good) = puppet::add(&handle, Puppet::factory(|_| {}));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let ram = || Ok(Box::new(Ram::new()) as Box<dyn vfio_user::function::Function>);
    handle.add_function(Socket::from_stream(theirs).unwrap(), ram).unwrap();
    let mut bad = RawClient::new(ours);
    let _running = Running::start(server, Server::run);
    good.negotiate();
    bad.negotiate();
    bad.stream().set_nonblocking(true).unwrap();
    let mut sent = 0u16;
    let read = |id| wire::message(id, command::REGION_READ, 0, &wire::access(1, 0, 1 << 20));
    // It sends requests until the server is gone.
    for _ in 0..3 {
        while bad.try_send(&read(sent), &[]).is_ok() {
            sent += 1;
        }
        is_served(&mut good);
    }
    assert!(sent < 10_000, "{sent} requests of a MiB each are not read all");
    bad.stream().set_nonblocking(false).unwrap();
    for id in 0..sent {
        assert_eq!(bad.answer_to(id, command::REGION_READ).ok().len(), 16 + (1 << 20));
    }
}

#[test]
fn a_flood_delays_others_by_one_message() {
    let gate = Gate::default();
    let server = Server::new().unwrap();
    let handle = server.handle();
    let held = gate.clone();
    // Quick messages may share a turn: these are slow.
    let slow = move |_| {
        held.pass();
        thread::sleep(Duration::from_millis(1));
    };
    let (_, mut bad) = puppet::add(&handle, Puppet::factory(slow));
    let (_, mut good) = puppet::add(&handle, Puppet::factory(|_| {}));
    let _running = Running::start(server, Server::run);
    good.negotiate();
    bad.negotiate();
    bad.send(&act(0).repeat(10), &[]);
    for id in 0..10 {
        gate.wait_until_held();
        let read = wire::access(0, Puppet::SCRATCH, 4);
        good.send(&wire::message(id, command::REGION_READ, 0, &read), &[]);
        gate.open();
        // The next one of the flood is held already, or will be: its turn comes after this.
        assert_eq!(good.answer_to(id, command::REGION_READ).errno(), None);
    }
}

#[test]
fn those_who_flood_have_equal_shares() {
    const DEVICES: usize = 8;
    const EACH: usize = 1000;
    let order = Arc::new(Mutex::new(Vec::with_capacity(DEVICES * EACH)));
    let server = Server::new().unwrap();
    let handle = server.handle();
    let clients: Vec<_> = (0..DEVICES)
        .map(|device| {
            let order = Arc::clone(&order);
            let act = Puppet::factory(move |_| order.lock().unwrap().push(device));
            puppet::add(&handle, act).1
        })
        .collect();
    // All of it is there when the server starts.
    for client in &clients {
        client.send(&[version(), act(0).repeat(EACH)].concat(), &[]);
    }
    drop(handle);
    let running = Running::start(server, Server::run);
    for client in clients {
        client.answer_to(0, command::VERSION);
        client.stream().shutdown(std::net::Shutdown::Write).unwrap();
        client.expect_closed();
    }
    running.join().unwrap();
    let order = order.lock().unwrap();
    assert_eq!(order.len(), DEVICES * EACH);
    let half = &order[..DEVICES * EACH / 2];
    for device in 0..DEVICES {
        let share = half.iter().filter(|of| **of == device).count();
        let fair = EACH / 2;
        assert!(share.abs_diff(fair) <= fair / 5, "device {device}: {share} of {fair}");
    }
}

#[test]
fn a_panic_ends_one_session_and_no_other() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.sock");
    let kit = Kit::default();
    handle.add(Socket::bind(&path).unwrap(), Zoo::factory(&kit)).unwrap();
    let (_, mut good) = puppet::add(&handle, Puppet::factory(|_| {}));
    let _running = Running::start(server, Server::run);
    good.negotiate();
    for _ in 0..3 {
        let mut bad = RawClient::connect(&path);
        bad.negotiate();
        assert_eq!(bad.number(0, reg::SCRATCH, 4), 0, "a new device");
        bad.write(0, reg::SCRATCH, &[7, 0, 0, 0]);
        assert_eq!(bad.try_write(0, reg::PANIC, &[1, 0, 0, 0]), Err(errno::EIO));
        bad.expect_closed();
        is_served(&mut good);
    }
}

#[test]
fn a_factory_that_fails_ends_its_device_alone() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let mut first = true;
    let mut puppet = Puppet::factory(|_| panic!("as the test wants"));
    let factory = move || {
        assert!(std::mem::take(&mut first), "as the test wants");
        puppet()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.sock");
    handle.add(Socket::bind(&path).unwrap(), factory).unwrap();
    let (_, mut good) = puppet::add(&handle, Puppet::factory(|_| {}));
    drop(handle);
    let running = Running::start(server, Server::run);
    good.negotiate();
    let mut bad = RawClient::connect(&path);
    bad.negotiate();
    assert_eq!(bad.try_write(0, Puppet::ACT, &[0; 4]), Err(errno::EIO));
    bad.expect_closed();
    is_served(&mut good);
    assert!(!path.exists(), "the socket goes with its device");
    drop(good);
    let error = running.join().unwrap_err();
    assert!(matches!(error, Error::Device(_)), "{error}");
}

#[test]
fn events_of_one_device_and_requests_of_others_do_not_hold_each_other_up() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let kits = [Kit::default(), Kit::default()];
    let mut clients: Vec<_> =
        kits.iter().map(|kit| puppet::add(&handle, Zoo::factory(kit)).1).collect();
    let (_, mut other) = puppet::add(&handle, Puppet::factory(|_| {}));
    let _running = Running::start(server, Server::run);
    other.negotiate();
    for client in &mut clients {
        client.negotiate();
        client.write(0, reg::CHAIN, &[1, 0, 0, 0]);
        client.write(0, reg::WORKER, &[100, 0, 0, 0]);
    }
    is_served(&mut other);
    for kit in &kits {
        let events = kit.journal.wait_for(100, |call| matches!(call, Call::Event(_)));
        let numbers: Vec<_> =
            events.into_iter().filter(|call| matches!(call, Call::Event(_))).collect();
        assert_eq!(numbers, (0..100).map(Call::Event).collect::<Vec<_>>());
    }
}

#[test]
fn devices_come_and_go_while_others_work() {
    let (server, mut clients) = puppet::idle(4);
    let handle = server.handle();
    let _running = Running::start(server, Server::run);
    for client in &mut clients {
        client.negotiate();
    }
    let workers: Vec<_> = clients
        .into_iter()
        .map(|mut client| thread::spawn(move || (0..10).for_each(|_| is_served(&mut client))))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    for round in 0..100 {
        let path = dir.path().join(round.to_string());
        let socket = Socket::bind(&path).unwrap();
        let id = handle.add(socket, Puppet::factory(|_| {})).unwrap();
        let mut client = RawClient::connect(&path);
        client.negotiate();
        // With a request under way, or none.
        if round % 2 == 0 {
            client.posted_write(0, Puppet::SCRATCH, &[1; 4]);
        }
        handle.remove(id);
        handle.remove(id);
        client.drain_to_end();
    }
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn a_hook_may_remove_its_own_device_or_another_one() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (victim, mut last) = puppet::add(&handle, Puppet::factory(|_| {}));
    let own = Arc::new(OnceLock::new());
    let (id, remover) = (Arc::clone(&own), handle.clone());
    let remove = move |what| remover.remove(if what == 0 { victim } else { *id.get().unwrap() });
    let (suicidal, mut client) = puppet::add(&handle, Puppet::factory(remove));
    own.set(suicidal).unwrap();
    drop(handle);
    let running = Running::start(server, Server::run);
    last.negotiate();
    client.negotiate();
    client.write(0, Puppet::ACT, &[0; 4]);
    last.expect_closed();
    client.write(0, Puppet::ACT, &[1; 4]);
    client.expect_closed();
    running.join().unwrap();
}

#[test]
fn a_hook_may_end_the_server() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (_, mut other) = puppet::add(&handle, Puppet::factory(|_| {}));
    let ender = handle.clone();
    let (_, mut client) = puppet::add(&handle, Puppet::factory(move |_| ender.shutdown()));
    let running = Running::start(server, Server::run);
    other.negotiate();
    client.negotiate();
    client.write(0, Puppet::ACT, &[0; 4]);
    client.expect_closed();
    other.expect_closed();
    running.join().unwrap();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let late = handle.add(Socket::from_stream(ours).unwrap(), Puppet::factory(|_| {}));
    assert!(matches!(late, Err(Error::Ended)), "{late:?}");
}

#[test]
fn a_hook_may_end_a_server_that_waits_for_its_client_alone() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let shutdown = server.shutdown_handle();
    let factory = Puppet::factory(move |_| shutdown.shutdown());
    let running = Running::start(server, |server| server.serve(factory));
    let mut client = RawClient::new(ours);
    client.negotiate();
    client.write(0, Puppet::ACT, &[0; 4]);
    client.expect_closed();
    running.join().unwrap();
}

#[test]
fn a_server_waits_for_devices_as_long_as_a_handle_can_add_them() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let running = Running::start(server, Server::run);
    for _ in 0..3 {
        let (_, mut client) = puppet::add(&handle, Puppet::factory(|_| {}));
        client.negotiate();
        is_served(&mut client);
    }
    // A device that was added last is served before the end.
    let (_, mut client) = puppet::add(&handle, Puppet::factory(|_| {}));
    drop(handle);
    client.negotiate();
    drop(client);
    running.join().unwrap();
}

#[test]
fn a_device_may_join_one_that_is_served_already() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let handle = server.handle();
    let running = Running::start(server, |server| server.serve(Puppet::factory(|_| {})));
    let mut first = RawClient::new(ours);
    first.negotiate();
    let (_, mut second) = puppet::add(&handle, Puppet::factory(|_| {}));
    second.negotiate();
    drop(handle);
    is_served(&mut first);
    is_served(&mut second);
    drop(second);
    is_served(&mut first);
    drop(first);
    running.join().unwrap();
}

#[test]
fn threads_share_the_devices() {
    const THREADS: usize = 3;
    let server = Server::new().unwrap();
    let handle = server.handle();
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let device = || {
        let threads = Arc::clone(&threads);
        Puppet::factory(move |_| threads.lock().unwrap().extend([thread::current().id()]))
    };
    let mut clients: Vec<_> = (0..6).map(|_| puppet::add(&handle, device()).1).collect();
    let running = Running::start(server, |server| server.run_on(THREADS));
    clients.extend((0..3).map(|_| puppet::add(&handle, device()).1));
    for client in &mut clients {
        client.negotiate();
        client.write(0, Puppet::ACT, &[0; 4]);
    }
    assert_eq!(threads.lock().unwrap().len(), THREADS);
    drop(handle);
    drop(clients);
    running.join().unwrap();
}

#[test]
fn a_shutdown_reaches_all_threads_and_clients() {
    let (server, mut clients) = puppet::idle(9);
    let running = Running::start(server, |server| server.run_on(4));
    for client in &mut clients {
        client.negotiate();
    }
    clients[3].send(&act(0)[..10], &[]);
    running.shutdown().shutdown();
    running.join().unwrap();
    clients.iter().for_each(RawClient::expect_closed);
}

#[test]
fn a_shutdown_comes_through_while_everybody_is_busy() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let kit = Kit::default();
    let (_, mut chaining) = puppet::add(&handle, Zoo::factory(&kit));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let ram = || Ok(Box::new(Ram::new()) as Box<dyn vfio_user::function::Function>);
    handle.add_function(Socket::from_stream(theirs).unwrap(), ram).unwrap();
    let mut deaf = RawClient::new(ours);
    let (_, mut flooding) = puppet::add(&handle, Puppet::factory(|_| {}));
    let running = Running::start(server, Server::run);
    chaining.negotiate();
    chaining.write(0, reg::CHAIN, &[1, 0, 0, 0]);
    deaf.negotiate();
    for _ in 0..3 {
        let read = wire::access(1, 0, 1 << 20);
        deaf.send(&wire::message(1, command::REGION_READ, 0, &read), &[]);
    }
    assert!(deaf.has_message(PATIENCE));
    flooding.negotiate();
    flooding.stream().set_nonblocking(true).unwrap();
    let flood = act(0).repeat(100);
    let flooder = thread::spawn(move || while sends(&flooding, &flood) {});
    running.shutdown().shutdown();
    running.join().unwrap();
    flooder.join().unwrap();
}

/// Whether the server is still there.
fn sends(client: &RawClient, bytes: &[u8]) -> bool {
    let sent = client.try_send(bytes, &[]);
    sent.is_ok() || sent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn a_server_without_a_socket_has_nowhere_to_serve() {
    let server = Server::new().unwrap();
    let outcome = server.serve(Puppet::factory(|_| {}));
    assert!(matches!(outcome, Err(Error::NoSocket)), "{outcome:?}");
    Server::new().unwrap().run().unwrap();
    for set in [Server::once, Server::write_multiple] {
        let outcome = set(Server::new().unwrap()).run();
        assert!(matches!(outcome, Err(Error::NoSocket)), "{outcome:?}");
    }
    assert!(!Server::new().unwrap().process().unwrap(), "nothing to serve");
}

#[test]
fn a_socket_without_a_device_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let bound = |name: &str| Server::bind(dir.path().join(name)).unwrap();
    let outcomes = [
        bound("1").run().map(|_| false),
        bound("2").run_on(2).map(|_| false),
        bound("3").process(),
        Server::from_stream(UnixStream::pair().unwrap().0).unwrap().run().map(|_| false),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::NoDevice)), "{outcome:?}");
    }
}

#[test]
fn a_removed_device_lets_its_listener_go() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let _running = Running::start(server, Server::run);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    for _ in 0..3 {
        let id = handle.add(Socket::bind(&path).unwrap(), Puppet::factory(|_| {})).unwrap();
        RawClient::connect(&path).negotiate();
        handle.remove(id);
        let deadline = std::time::Instant::now() + PATIENCE;
        while path.exists() {
            assert!(std::time::Instant::now() < deadline, "the socket stays");
            thread::sleep(Duration::from_millis(1));
        }
    }
}
