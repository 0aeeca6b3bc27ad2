//! Bytes of no protocol, both ways.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vfio_user::EventFd;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::{PATIENCE, files, wire};

use crate::{Proxy, VFU};

/// A proxy with a test at both ends.
struct Between {
    proxy: Proxy,
    client: RawClient,
    server: RawClient,
    _folder: TempDir,
}

fn between(options: &[&str]) -> Between {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let proxy = Proxy::start(&path, options);
    let client = RawClient::connect(&proxy.socket());
    let server = RawClient::new(listener.accept().unwrap().0);
    Between { proxy, client, server, _folder: folder }
}

/// Sends bytes, and expects them at the other end.
#[track_caller]
fn passes(from: &RawClient, to: &RawClient, bytes: &[u8]) {
    from.send(bytes, &[]);
    arrives(to.stream(), bytes);
}

#[track_caller]
fn arrives(mut to: &UnixStream, bytes: &[u8]) {
    let mut arrived = vec![0; bytes.len()];
    to.read_exact(&mut arrived).unwrap();
    assert_eq!(arrived, bytes);
}

#[test]
fn malformed_messages_pass_and_are_shown() {
    let Between { proxy, client, server, .. } = between(&[]);
    let short = wire::message(1, wire::command::REGION_READ, 0, &[1, 2, 3]);
    let unknown = wire::message(2, 99, 0, &[]);
    let mut typed = wire::message(3, 4, 0, &[]);
    typed[8] = 7;
    for message in [&short, &unknown, &typed] {
        passes(&client, &server, message);
        passes(&server, &client, message);
    }
    let header = wire::header(4, 1, 15, 0);
    passes(&client, &server, &header);
    passes(&client, &server, b"no message at all");
    passes(&server, &client, &wire::header(4, 1, u32::MAX, 0));
    drop((client, server));
    proxy.wait("the end", || proxy.printed().matches("closed").count() == 2);
    let printed = proxy.finish();
    for text in [
        "malformed: a payload of 3 bytes, at least 16 are needed",
        "COMMAND_99 malformed: unknown command 99",
        "malformed: type 7 of a message",
        "malformed: a message of 15 bytes",
        "malformed: 17 bytes of no message",
        "malformed: a message of 4294967295 bytes",
    ] {
        assert!(printed.contains(text), "{text}: {printed}");
    }
}

#[test]
fn a_half_message_passes_at_once_and_its_end_follows() {
    let Between { proxy, client, server, .. } = between(&[]);
    let message = wire::message(1, wire::command::RESET, 0, &[0; 40]);
    for byte in &message[..50] {
        passes(&client, &server, &[*byte]);
    }
    client.stream().shutdown(Shutdown::Write).unwrap();
    server.expect_closed();
    // The other direction stays open.
    passes(&server, &client, &message);
    drop(server);
    client.expect_closed();
    let printed = proxy.finish();
    assert!(printed.contains("malformed: 50 bytes of no message"), "{printed}");
}

/// Descriptors pass with the message that they belong to, whatever arrives before and after it.
#[test]
fn descriptors_stay_with_their_message() {
    let Between { proxy, client, server, .. } = between(&["--quiet"]);
    let message = |id| wire::message(id, wire::command::SET_IRQS, 0, &[0; 20]);
    let before = proxy.descriptors();
    for round in 0..50 {
        let pipes: Vec<_> = (0..5).map(|_| files::new_pipe()).collect();
        let fds: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
        client.send(&[message(round), message(round)].concat(), &[]);
        client.send(&message(round), &fds);
        client.send(&message(round)[..9], &[]);
        client.send(&message(round)[9..], &[]);
        let arrived: Vec<_> = (0..4).map(|_| server.receive().fds.len()).collect();
        assert_eq!(arrived, [0, 0, 5, 0], "{round}");
        let readers = pipes.into_iter().map(|(reader, writer)| {
            drop(writer);
            reader
        });
        for mut reader in readers.collect::<Vec<_>>() {
            // The proxy closes its own once they are sent.
            assert!(files::is_readable(&reader, PATIENCE));
            files::assert_closed(&mut reader);
        }
    }
    assert_eq!(proxy.descriptors(), before);
    proxy.finish();
}

/// All pass, and as many are shown as one send can have.
#[test]
fn a_message_in_parts_has_any_number_of_descriptors() {
    let Between { proxy, client, server, .. } = between(&[]);
    let message = wire::message(1, wire::command::SET_IRQS, 0, &[0; 20]);
    let eventfd = EventFd::new().unwrap();
    let fds = [eventfd.as_fd(); 200];
    for part in message.chunks(18) {
        client.send(part, &fds);
        arrives(server.stream(), part);
    }
    assert_eq!(proxy.finish().matches("eventfd").count(), 253);
}

/// What a peer does not read stays with the other one.
#[test]
fn a_peer_that_does_not_read_stops_the_other_one() {
    let Between { proxy, client, server, .. } = between(&["--quiet"]);
    let message = wire::message(1, wire::command::REGION_WRITE, 0, &vec![7; 0x8000]);
    client.stream().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut sent = 0;
    let deadline = Instant::now() + PATIENCE;
    let mut stream = client.stream();
    while let Ok(bytes) = stream.write(&message[sent % message.len()..]) {
        sent += bytes;
        assert!(Instant::now() < deadline && sent < 16 << 20, "{sent} bytes were buffered");
    }
    let mut received = 0;
    let mut buffer = vec![0; 0x1_0000];
    server.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    while received < sent {
        let bytes = server.stream().read(&mut buffer).unwrap();
        for byte in &buffer[..bytes] {
            assert_eq!(*byte, message[received % message.len()]);
            received += 1;
        }
    }
    proxy.finish();
}

/// A pipe that is not read takes 64 KiB. The lines are printed once it is read.
#[test]
fn an_output_that_takes_nothing_stops_no_message() {
    const MESSAGES: u16 = 5000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let proxy = Proxy::start_as(Command::new(VFU), &path, &[], Some(writer.into()));
    let client = RawClient::connect(&proxy.socket());
    let server = RawClient::new(listener.accept().unwrap().0);
    for id in 0..MESSAGES {
        passes(&client, &server, &wire::message(id, wire::command::RESET, 0, &[]));
    }
    let lines = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.lines().filter(|line| line.contains("RESET")).count()
    });
    proxy.finish();
    assert_eq!(lines.join().unwrap(), usize::from(MESSAGES));
}

#[test]
fn connections_go_on_where_no_more_can_be_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let message = wire::message(1, wire::command::RESET, 0, &[]);
    let limit = {
        let proxy = Proxy::start(&path, &["--quiet"]);
        let client = RawClient::connect(&proxy.socket());
        let server = RawClient::new(listener.accept().unwrap().0);
        passes(&client, &server, &message);
        proxy.next_descriptor()
    };
    // Enough for one connection.
    let limited = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited, VFU]).stderr(Stdio::piped());
    let mut proxy = Proxy::start_as(command, &path, &["--quiet"], None);
    let client = RawClient::connect(&proxy.socket());
    let server = RawClient::new(listener.accept().unwrap().0);
    let waiting = RawClient::connect(&proxy.socket());
    let errors = proxy.child.stderr.take().unwrap();
    assert!(files::is_readable(&errors, PATIENCE));
    let mut errors = BufReader::new(errors);
    let mut error = String::new();
    errors.read_line(&mut error).unwrap();
    assert!(error.contains("a connection cannot be accepted"), "{error}");
    passes(&client, &server, &message);
    drop((client, server));
    let server = RawClient::new(listener.accept().unwrap().0);
    passes(&waiting, &server, &message);
    proxy.finish();
}

#[test]
fn random_bytes_pass_both_ways() {
    let Between { proxy, client, server, .. } = between(&["--quiet"]);
    let mut state = 0x9e37_79b9_u64;
    let mut bytes = |count: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        };
        (0..count).map(|_| next()).collect()
    };
    let (there, back) = (bytes(0x4_0001), bytes(0x4_0001));
    thread::scope(|scope| {
        scope.spawn(|| client.send(&there, &[]));
        scope.spawn(|| server.send(&back, &[]));
        scope.spawn(|| arrives(server.stream(), &there));
        arrives(client.stream(), &back);
    });
    proxy.finish();
}

#[test]
fn a_server_that_is_not_there_ends_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&folder.path().join("no.sock"), &[]);
    RawClient::connect(&proxy.socket()).expect_closed();
    proxy.finish();
}
