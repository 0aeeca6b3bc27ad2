//! Logs of a few messages, played against servers of a few lines.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;

const CONNECTED: u8 = 1;
const MESSAGE: u8 = 2;
const END: u8 = 4;
const CLIENT: u8 = 0;
const SERVER: u8 = 1;

const RESET: u16 = 13;
const REGION_WRITE: u16 = 10;
const DMA_WRITE: u16 = 12;
const COMMAND: u32 = 0;
const REPLY: u32 = 1;
/// A command without a reply.
const POSTED: u32 = 0x10;

fn message(id: u16, command: u16, flags: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(16 + payload.len()).unwrap();
    let head = [&id.to_le_bytes()[..], &command.to_le_bytes(), &size.to_le_bytes()];
    [&head.concat()[..], &flags.to_le_bytes(), &[0; 4], payload].concat()
}

/// A write of bytes to the start of BAR 0.
fn write(id: u16, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    message(id, REGION_WRITE, COMMAND, &[&[0; 12], &size.to_le_bytes()[..], data].concat())
}

fn reset(id: u16, flags: u32) -> Vec<u8> {
    message(id, RESET, flags, &[])
}

/// A log.
struct Log(Vec<u8>);

impl Log {
    fn new() -> Self {
        Log([&b"VFUPROXY"[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat())
    }

    fn record(
        mut self,
        connection: u32,
        time: Duration,
        (kind, from): (u8, u8),
        body: &[u8],
    ) -> Self {
        self.0.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        self.0.extend([kind, from, 0, 0]);
        self.0.extend(connection.to_le_bytes());
        self.0.extend([0; 4]);
        self.0.extend(u64::try_from(time.as_nanos()).unwrap().to_le_bytes());
        self.0.extend(body);
        self
    }

    fn message(self, from: u8, message: &[u8]) -> Self {
        self.record(1, Duration::ZERO, (MESSAGE, from), message)
    }

    fn end(self, from: u8) -> Self {
        self.record(1, Duration::ZERO, (END, from), &[])
    }

    /// Plays this against a server, which accepts one client.
    fn play(&self, options: &[&str], serve: impl FnOnce(UnixStream)) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let (log, path) = (folder.path().join("log"), folder.path().join("server.sock"));
        fs::write(&log, &self.0).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        vfu.arg("replay").arg(&log).arg(&path).args(options);
        let vfu = vfu.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        serve(listener.accept().unwrap().0);
        vfu.wait_with_output().unwrap()
    }
}

/// A reset with its reply.
fn one_reset() -> Log {
    Log::new().message(CLIENT, &reset(1, COMMAND)).message(SERVER, &reset(1, REPLY))
}

#[track_caller]
fn printed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Receives messages of so many bytes, and sends bytes.
fn exchange(mut stream: &UnixStream, received: usize, sent: &[u8]) {
    stream.read_exact(&mut vec![0; received]).unwrap();
    stream.write_all(sent).unwrap();
}

/// Waits until the client has closed the connection.
fn wait_for_end(mut stream: UnixStream) {
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_message_that_the_log_does_not_have_is_a_difference() {
    let log = one_reset().end(CLIENT).end(SERVER);
    let reply = reset(1, REPLY);
    let play = |options: &[&str], more: &[u8]| {
        log.play(options, |stream| {
            exchange(&stream, 16, &[&reply, more].concat());
            wait_for_end(stream);
        })
    };
    assert!(printed(&play(&[], &[]), 0).contains("2 messages, no difference"));
    let text = printed(&play(&[], &reply), 1);
    assert!(text.contains("RESET: the server sends it, and the log does not have it"), "{text}");
    let posted = message(9, DMA_WRITE, POSTED, &[&[0; 8][..], &[1], &[0; 7], &[0xaa]].concat());
    let text = printed(&play(&[], &posted), 1);
    assert!(text.contains("DMA_WRITE address=0x0 count=1: the server sends it"), "{text}");
    printed(&play(&["--ignore=dma-write"], &posted), 0);
    let json = printed(&play(&["--json"], &posted), 1);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["kind"], "surplus");
}

/// A client may close the connection before the last replies.
#[test]
fn a_reply_that_the_client_does_not_wait_for_is_no_difference() {
    let requests =
        Log::new().message(CLIENT, &reset(1, COMMAND)).message(CLIENT, &reset(2, COMMAND));
    let log = requests.message(SERVER, &reset(1, REPLY)).end(CLIENT);
    let output = log.play(&[], |stream| {
        exchange(&stream, 32, &[reset(1, REPLY), reset(2, REPLY)].concat());
        wait_for_end(stream);
    });
    printed(&output, 0);
}

#[test]
fn a_reply_with_another_id_is_named() {
    // Long enough for the reply to arrive on a machine with much to do.
    let output = one_reset().play(&["--timeout=3"], |stream| {
        exchange(&stream, 16, &reset(7, REPLY));
        wait_for_end(stream);
    });
    let text = printed(&output, 1);
    let expected = "it does not arrive in time, the server sends a reply to DEVICE_RESET, of id 7";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_is_no_message_is_a_difference() {
    let output = one_reset().play(&[], |stream| {
        exchange(&stream, 16, &[0; 16]);
        wait_for_end(stream);
    });
    assert!(printed(&output, 1).contains("something that is no message"), "{output:?}");
}

#[test]
fn a_server_that_does_not_end_or_does_not_receive_is_a_difference() {
    let output = one_reset().end(SERVER).play(&["--timeout=3"], |stream| {
        exchange(&stream, 16, &reset(1, REPLY));
        wait_for_end(stream);
    });
    assert!(printed(&output, 1).contains("the server does not close the connection"));
    let log = Log::new().message(CLIENT, &write(1, &vec![0; 4 << 20]));
    let output = log.play(&["--timeout=0.1"], |stream| {
        let mut end = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        poll(&mut end, PollTimeout::NONE).unwrap();
    });
    assert!(printed(&output, 1).contains("the server does not receive it in time"), "{output:?}");
}

/// The server sends more than a socket holds before it receives anything.
#[test]
fn what_arrives_is_received_while_a_message_is_sent() {
    let request = write(1, &vec![0; 1 << 20]);
    let reply = message(1, REGION_WRITE, REPLY, &request[16..32]);
    let log = Log::new().message(CLIENT, &request).message(SERVER, &reply).end(CLIENT).end(SERVER);
    let posted = [&[0; 8][..], &0x1000_u64.to_le_bytes(), &[1; 0x1000]].concat();
    let posted = message(9, DMA_WRITE, POSTED, &posted).repeat(0x200);
    let output = log.play(&["--ignore=dma-write"], |mut stream| {
        stream.write_all(&posted).unwrap();
        exchange(&stream, request.len(), &reply);
        wait_for_end(stream);
    });
    assert!(printed(&output, 0).contains("2 messages, no difference"));
}

/// A server that sends without end ends the replay, not its memory.
#[test]
fn a_flood_is_an_error() {
    let flood = message(9, DMA_WRITE, POSTED, &[0; 0x1000]);
    let output = one_reset()
        .play(&["--timeout=600"], |mut stream| while stream.write_all(&flood).is_ok() {});
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("it sends more messages than the log has"), "{text}");
}

/// Times count from the start of the connection, not of the log.
#[test]
fn a_connection_is_played_at_its_times() {
    let start = Duration::from_secs(3600);
    let after = Duration::from_millis(100);
    let due = start + after;
    let log = one_reset()
        .record(2, start, (CONNECTED, CLIENT), &[])
        .record(2, due, (MESSAGE, CLIENT), &reset(1, COMMAND))
        .record(2, due, (MESSAGE, SERVER), &reset(1, REPLY));
    let begin = Instant::now();
    let output = log.play(&["--timed", "--connection=2"], |stream| {
        exchange(&stream, 16, &reset(1, REPLY));
        wait_for_end(stream);
    });
    assert!(begin.elapsed() >= after);
    assert!(printed(&output, 0).contains("2 messages, no difference in connection 2 of 2"));
    let output = log.play(&["--connection=3"], |_| ());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
