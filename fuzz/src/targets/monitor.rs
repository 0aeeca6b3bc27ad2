//! The monitor's protocol: tools that send anything to a monitor, and a monitor that replies
//! anything to a tool.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::mem;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

use arbitrary::Arbitrary;
use tempfile::TempDir;
use vfio_user::Server;
use vfio_user::monitor::{Client, Message, Monitor, Reply, Request};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::language::Language;
use vfio_user_tests::serve::Running;

use crate::numbers::Number;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// To a monitor.
    Requests { lines: Vec<Line<'a>>, rest: &'a [u8] },
    /// To a tool, in one piece, in reply to its first request.
    Replies { request: u8, replies: &'a [u8] },
}

#[derive(Arbitrary, Debug)]
enum Line<'a> {
    Page { ask: u8, from: Number },
    Register { name: u8, suffix: &'a str },
    Poke { name: u8, value: Number },
    Bytes(&'a [u8]),
}

/// The longest reply, in bytes.
const LONGEST: usize = 1 << 20;
/// What a request may ask for.
const ASKS: [&str; 11] = [
    "device",
    "registers",
    "interrupts",
    "dma",
    "counters",
    "accesses",
    "hooks",
    "unmodelled",
    "last",
    "nothing",
    "",
];
const NAMES: [&str; 10] = [
    "masked",
    "control.mode",
    "links[1]",
    "queues[2].base",
    "rings[0].",
    "buffer[17]",
    "power",
    "heads[9999999999999999999]",
    "bank[0].status",
    "",
];

/// Plays one end.
pub fn run(input: &[u8]) {
    match super::parse(input) {
        None => {}
        Some(Input::Requests { lines, rest }) => ask(&lines, rest),
        Some(Input::Replies { request, replies }) => reply(request, replies),
    }
}

/// Where a device is observed, which all inputs use.
fn observed() -> &'static Path {
    static OBSERVED: OnceLock<TempDir> = OnceLock::new();
    let dir = OBSERVED.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let monitor = Monitor::bind(dir.path().join("monitor")).expect("a monitor").allow_pokes();
        let server = Server::bind(dir.path().join("device")).expect("a server").monitor(monitor);
        // It runs as long as the process.
        mem::forget(Running::start(server, |server| server.serve(Language::constructed)));
        dir
    });
    dir.path()
}

fn ask(lines: &[Line<'_>], rest: &[u8]) {
    let path = observed().join("monitor");
    let stream = UnixStream::connect(&path).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut bytes: Vec<u8> = lines.iter().flat_map(Line::bytes).collect();
    bytes.extend(rest);
    let most = bytes.split(|byte| *byte == b'\n').count();
    thread::scope(|scope| {
        scope.spawn(|| {
            // The monitor closes the connection after a line that is too long.
            let _ = (&stream).write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
        });
        assert!(receive(&stream) <= most, "more replies than requests");
    });
    let mut tool = Client::connect(&path, PATIENCE).expect("connect");
    assert!(matches!(tool.ask(&Request::Device), Ok(Reply::Device(_))), "the monitor is at work");
}

/// Receives replies to the end, and returns their number.
fn receive(stream: &UnixStream) -> usize {
    let mut reader = BufReader::new(stream);
    for count in 0.. {
        let mut line = Vec::new();
        let read = reader.by_ref().take(LONGEST as u64).read_until(b'\n', &mut line);
        match read {
            // An end, also if there is more that the monitor has not read.
            Ok(0) | Err(_) => {
                let kind = read.map_err(|error| error.kind());
                assert!(!matches!(kind, Err(std::io::ErrorKind::WouldBlock)), "no end");
                return count;
            }
            Ok(_) => {
                let message = serde_json::from_slice::<Message>(&line);
                message.unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii()));
            }
        }
    }
    0
}

impl Line<'_> {
    fn bytes(&self) -> Vec<u8> {
        let json = match self {
            Line::Page { ask, from } => {
                let ask = ASKS[usize::from(*ask) % ASKS.len()];
                serde_json::json!({"ask": ask, "from": from.0})
            }
            Line::Register { name, suffix } => {
                let name = NAMES[usize::from(*name) % NAMES.len()];
                serde_json::json!({"ask": "register", "name": format!("{name}{suffix}")})
            }
            Line::Poke { name, value } => {
                let name = NAMES[usize::from(*name) % NAMES.len()];
                serde_json::json!({"ask": "poke", "name": name, "value": value.0})
            }
            Line::Bytes(bytes) => return [bytes, &b"\n"[..]].concat(),
        };
        format!("{json}\n").into_bytes()
    }
}

/// Replies to a tool.
fn reply(request: u8, replies: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("monitor");
    let listener = UnixListener::bind(&path).expect("listen");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("accept");
            // The tool may leave earlier.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(replies);
        });
        let mut tool = Client::connect(&path, PATIENCE).expect("connect");
        // What an error is, is not the question here.
        if request.is_multiple_of(2) {
            let pages = tool.all(|from| Request::Registers { from }, registers);
            let _ = pages.map(|pages| pages.len());
        } else {
            let _ = tool.ask(&Request::Last);
        }
    });
}

fn registers(reply: Reply) -> Option<vfio_user::monitor::Page<vfio_user::monitor::NamedValue>> {
    match reply {
        Reply::Registers(page) => Some(page),
        _ => None,
    }
}
