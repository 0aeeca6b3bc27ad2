//! A server that follows a script.

use std::fs::File;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use arbitrary::Arbitrary;
use vfio_user_tests::files;
use vfio_user_tests::forged::Forged;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::wire::{self, command, flag};

use crate::numbers::Number;

/// What the server does when a request arrives.
#[derive(Arbitrary, Debug)]
pub(super) enum Behaviour {
    Right,
    /// Replies as it should, with a byte of the payload changed.
    Byte {
        at: u16,
        byte: u8,
    },
    /// The same, with a number changed.
    Word {
        at: u8,
        value: Number,
    },
    Payload(Vec<u8>),
    /// Replies as it should, with more bytes or less.
    Longer(Vec<u8>),
    Shorter(u8),
    Error(Number),
    /// Sends a header with these values first.
    Header {
        id: u8,
        command: u8,
        flags: u8,
        size: Number,
    },
    /// Passes descriptors with the right reply.
    Descriptors(Vec<u8>),
    /// Accesses the client's memory first.
    Ask {
        is_write: bool,
        iova: Number,
        count: Number,
        data: Vec<u8>,
    },
    /// A version with these capabilities.
    Version(u8),
    Bytes(Vec<u8>),
    End,
}

/// The most requests that are served.
const MOST_REQUESTS: usize = 4096;

/// Follows the script, then replies as a server does.
pub(super) fn serve(server: &RawClient, script: &[Behaviour]) {
    let mut script = script.iter();
    let mut forged = Forged::default();
    forged.add_express();
    for _ in 0..MOST_REQUESTS {
        let Some(request) = server.try_receive() else { return };
        // A reply to a request of the server.
        if request.flags & 0xf != 0 {
            continue;
        }
        let behaviour = script.next().unwrap_or(&Behaviour::Right);
        if matches!(behaviour, Behaviour::End) {
            break;
        }
        for (bytes, kinds) in reply(&mut forged, &request, behaviour) {
            let kinds = Kinds::of(&kinds);
            // The client may have left.
            if !bytes.is_empty() && server.try_send(&bytes, &kinds.borrow()).is_err() {
                return;
            }
        }
    }
    let _ = server.stream().shutdown(Shutdown::Both);
}

/// Bytes, and the kinds of descriptors that go along.
type Part = (Vec<u8>, Vec<u8>);

fn reply(forged: &mut Forged, request: &Answer, behaviour: &Behaviour) -> Vec<Part> {
    let right = if is_inside(request) { forged.answer(request) } else { Err(wire::errno::EINVAL) };
    let right = match right {
        Ok(payload) => payload,
        Err(errno) => return vec![(error(request, errno), Vec::new())],
    };
    let with = |payload: &[u8]| wire::message(request.id, request.command, flag::REPLY, payload);
    let one = |bytes: Vec<u8>| vec![(bytes, Vec::new())];
    match behaviour {
        Behaviour::Right | Behaviour::End => one(with(&right)),
        Behaviour::Byte { at, byte } => one(with(&changed(right, (*at).into(), &[*byte]))),
        Behaviour::Word { at, value } => {
            let at = usize::from(*at) * 4;
            one(with(&changed(right, at, &value.0.to_le_bytes())))
        }
        Behaviour::Payload(payload) => one(with(payload)),
        Behaviour::Longer(more) => one(with(&[&right, &more[..]].concat())),
        Behaviour::Shorter(len) => one(with(&right[..right.len().saturating_sub((*len).into())])),
        Behaviour::Error(errno) => one(error(request, errno.word())),
        Behaviour::Header { id, command, flags, size } => {
            let (id, command) =
                (request.id ^ u16::from(*id), request.command ^ u16::from(*command));
            let size = if size.0 < 16 { 16 } else { size.word() };
            one([wire::header(id, command, size, (*flags).into()), with(&right)].concat())
        }
        Behaviour::Descriptors(kinds) => {
            vec![(with(&right), kinds[..kinds.len().min(32)].to_vec())]
        }
        Behaviour::Ask { is_write, iova, count, data } => {
            let command = if *is_write { command::DMA_WRITE } else { command::DMA_READ };
            let ask = wire::message(9, command, 0, &wire::dma_access(iova.0, count.0, data));
            one([ask, with(&right)].concat())
        }
        Behaviour::Version(text) => {
            let text = TEXTS[usize::from(*text) % TEXTS.len()];
            vec![(with(&wire::version(0, text)), vec![0, 4])]
        }
        Behaviour::Bytes(bytes) => one(bytes.clone()),
    }
}

/// What a server may say of itself.
const TEXTS: [&str; 7] = [
    "",
    r#"{"capabilities":{}}"#,
    r#"{"capabilities":{"max_msg_fds":0,"max_data_xfer_size":1}}"#,
    r#"{"capabilities":{"max_data_xfer_size":18446744073709551615,"max_dma_maps":0}}"#,
    r#"{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}"#,
    r#"{"capabilities":{"twin_socket":{"supported":true,"fd_index":1}}}"#,
    r#"{"capabilities":{"write_multiple":true,"migration":{"pgsize":0}}}"#,
];

/// The forged server has no checks of its own.
fn is_inside(request: &Answer) -> bool {
    let field = |at| u64::from(wire::u32_at(&request.payload, at));
    match request.command {
        command::GET_REGION_INFO => field(8) < 9,
        command::GET_IRQ_INFO => field(8) < 5,
        command::REGION_READ | command::REGION_WRITE => {
            let end = (field(0) | field(4) << 32).saturating_add(field(12));
            field(8) < 9 && end <= 0x1000
        }
        _ => true,
    }
}

fn error(request: &Answer, errno: u32) -> Vec<u8> {
    Answer::refusal(request, errno).to_bytes()
}

fn changed(mut payload: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    for (at, byte) in (at..payload.len()).zip(bytes) {
        payload[at] = *byte;
    }
    payload
}

/// Descriptors that a server passes.
struct Kinds(Vec<Kind>);

enum Kind {
    Socket(UnixStream),
    File(File),
}

impl Kinds {
    fn of(kinds: &[u8]) -> Self {
        let one = |kind: &u8| match kind % 6 {
            0 | 1 => Kind::Socket(UnixStream::pair().expect("pair").0),
            2 => Kind::File(File::open("/dev/null").expect("a file")),
            3 => Kind::File(files::memory(0)),
            _ => Kind::File(files::memory(0x1000)),
        };
        Kinds(kinds.iter().map(one).collect())
    }

    fn borrow(&self) -> Vec<BorrowedFd<'_>> {
        self.0.iter().map(Kind::as_fd).collect()
    }
}

impl Kind {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Kind::Socket(socket) => socket.as_fd(),
            Kind::File(file) => file.as_fd(),
        }
    }
}
