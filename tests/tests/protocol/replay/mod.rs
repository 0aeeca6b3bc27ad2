//! What QEMU was recorded to send is sent to our server: every request is answered, in order, and
//! with the shape that QEMU takes.

mod endpoint;
mod recording;

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use endpoint::Mappable;
use recording::Request;
use vfio_user::{EventFd, Server};
use vfio_user_tests::files;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, flag, region};

/// What QEMU's VERSION reply has room for: its own request's size.
const VERSION_ROOM: u32 = 214;
/// `VFIO_REGION_INFO_FLAG_CAPS`.
const CAPS: u32 = 8;

/// A recording that is played to a server.
struct Player {
    client: RawClient,
    guest_memory: File,
    eventfds: Vec<EventFd>,
    _running: Running,
}

impl Player {
    fn new(recording: &[Request<'_>]) -> Self {
        let region_of = |line: &str, what| line.contains(what) && line.contains("GET_REGION_INFO");
        let mappable = recording.iter().any(|request| region_of(request.line, "argsz=64 index=0"));
        let rom = recording.iter().any(|request| region_of(request.line, "index=6"));
        let (ours, theirs) = UnixStream::pair().expect("pair");
        let server = Server::from_stream(theirs).expect("server");
        let running = Running::start(server, move |server| {
            server.serve_functions(move || Ok(Box::new(Mappable::new(rom, mappable))))
        });
        let client = RawClient::new(ours);
        let eventfds = (0..16).map(|_| EventFd::new().expect("eventfd")).collect();
        Player { client, guest_memory: files::memory(1 << 28), eventfds, _running: running }
    }

    fn send(&self, request: &Request<'_>) {
        let fds: Vec<BorrowedFd<'_>> = match request.command {
            command::DMA_MAP => vec![self.guest_memory.as_fd(); request.fds],
            _ => self.eventfds[..request.fds].iter().map(AsFd::as_fd).collect(),
        };
        self.client.send(&request.message(), &fds);
    }

    fn receive(&self, request: &Request<'_>) {
        let answer = self.client.receive();
        let line = request.line;
        assert_eq!((answer.id, answer.command), (request.id, request.command), "{line}");
        assert_eq!((answer.flags, answer.error), (flag::REPLY, 0), "{line}");
        check(request, &answer);
    }
}

/// The shape of a successful answer.
fn check(request: &Request<'_>, answer: &Answer) {
    let (line, payload) = (request.line, &answer.payload);
    match request.command {
        command::VERSION => {
            assert!(answer.size <= VERSION_ROOM && payload.ends_with(b"}\0"), "{line}");
            assert_eq!(payload[..4], request.payload[..4], "{line}");
        }
        command::DMA_MAP | command::SET_IRQS | command::RESET => {
            assert!(payload.is_empty(), "{line}");
        }
        command::DMA_UNMAP => assert_eq!(*payload, request.payload, "{line}"),
        command::GET_INFO => assert_eq!(*payload, wire::words(&[16, 3, 9, 5]), "{line}"),
        command::GET_REGION_INFO => check_region(request, answer),
        command::GET_IRQ_INFO => {
            assert_eq!((payload.len(), wire::u32_at(payload, 0)), (16, 16), "{line}");
            assert_eq!(payload[8..12], request.payload[8..12], "{line}");
            assert!(u64::from(wire::u32_at(payload, 12)) >= request.answered("count"), "{line}");
        }
        command::REGION_WRITE => assert_eq!(*payload, request.payload[..16], "{line}"),
        command::REGION_READ => check_read(request, answer),
        _ => unreachable!("no such command is recorded"),
    }
    let with_file = request.command == command::GET_REGION_INFO && request.answered("fds") == 1;
    assert_eq!(answer.fds.len(), usize::from(with_file), "{line}");
}

/// The answer is the recorded one; but capabilities that did not fit are not announced.
fn check_region(request: &Request<'_>, answer: &Answer) {
    let (line, payload) = (request.line, &answer.payload);
    let (room, needed) = (wire::u32_at(&request.payload, 0), wire::u32_at(payload, 0));
    let flags = request.answered("flags") & !u64::from(if needed > room { CAPS } else { 0 });
    assert_eq!(u64::from(needed), request.answered("argsz"), "{line}");
    assert_eq!(u64::from(wire::u32_at(payload, 4)), flags, "{line}");
    assert_eq!(payload[8..12], request.payload[8..12], "{line}");
    assert_eq!(wire::u64_at(payload, 16), request.answered("size"), "{line}");
    assert_eq!(payload.len(), if needed > room { 32 } else { needed as usize }, "{line}");
}

/// The request and the bytes; those of the header of configuration space are the recorded ones.
fn check_read(request: &Request<'_>, answer: &Answer) {
    let (line, payload) = (request.line, &answer.payload);
    let (offset, count) = (wire::u64_at(payload, 0), wire::u32_at(payload, 12));
    assert_eq!(payload[..16], request.payload, "{line}");
    assert_eq!(payload.len(), 16 + count as usize, "{line}");
    if let (region::CONFIG, 0..0x40, Some(value)) =
        (wire::u32_at(payload, 8), offset, request.value())
    {
        assert_eq!(wire::number(&payload[16..]), value, "{line}");
    }
}

fn recordings() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/traces");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("recordings").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            let text = fs::read_to_string(entry.path()).expect("a recording");
            found.push((entry.file_name().to_string_lossy().into_owned(), text));
        }
    }
    assert_eq!(found.len(), 11, "recordings");
    found.sort();
    found
}

fn requests(text: &str) -> Vec<Request<'_>> {
    text.lines().map(Request::parse).collect()
}

/// As QEMU does it: it waits for each reply, but for what it posts.
#[test]
fn every_request_is_answered() {
    for (name, text) in recordings() {
        println!("{name}");
        let requests = requests(&text);
        let mut player = Player::new(&requests);
        for request in &requests {
            player.send(request);
            if request.wants_reply() {
                player.receive(request);
            }
        }
        player.client.sync();
    }
}

/// QEMU waits once for all that change its memory; a client may do so with anything.
#[test]
fn requests_that_are_not_waited_for_are_answered_in_order() {
    for (name, text) in recordings() {
        println!("{name}");
        let requests = requests(&text);
        let mut player = Player::new(&requests);
        for burst in requests.chunks(50) {
            for request in burst {
                player.send(request);
            }
            for request in burst.iter().filter(|request| request.wants_reply()) {
                player.receive(request);
            }
        }
        player.client.sync();
    }
}
