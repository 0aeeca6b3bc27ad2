//! Messages in pieces and in batches, and descriptors where none belong.

use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use vfio_user::pci::spec::cfg;
use vfio_user::protocol::Command;

use super::super::check::{Check, Stop, Verdict, equal, fail};
use super::super::message::{self, flag, words};
use super::super::server::Server;

const SECTION: &str = "Protocol Specification";

pub(super) const CHECKS: &[Check] = &[
    Check::robust(
        "framing-split-header",
        SECTION,
        "a message that arrives byte by byte is understood",
        |server| split(server, 1),
    ),
    Check::robust(
        "framing-split-payload",
        SECTION,
        "a message whose payload arrives after its header is understood",
        |server| split(server, message::HEADER),
    ),
    Check::required(
        "framing-batch",
        SECTION,
        "many messages that arrive at once are answered in order",
        batch,
    ),
    Check::required(
        "framing-posted-order",
        SECTION,
        "a read after a write with No_reply returns what was written",
        posted_order,
    ),
    Check::robust(
        "framing-unread-replies",
        SECTION,
        "a client may send many requests before it receives the replies",
        unread,
    ),
    Check::robust(
        "framing-descriptors",
        SECTION,
        "descriptors that come with a message that takes none are closed",
        |server| descriptors(server, 1),
    ),
    Check::robust(
        "framing-many-descriptors",
        SECTION,
        "as many descriptors as Linux passes at once do no harm, and are closed",
        |server| descriptors(server, 253),
    ),
];

const INFO: Command = Command::DeviceGetInfo;

/// Sends messages in pieces of some bytes.
fn split(server: &mut Server, len: usize) -> Verdict {
    let client = server.attach()?;
    let bytes = message::message(9, INFO.into(), 0, &words(&[16, 0, 0, 0]));
    for piece in bytes.chunks(len) {
        client.send(piece, &[])?;
        // Long enough that a server that does not wait for the rest has looked.
        thread::sleep(Duration::from_millis(2));
    }
    client.answer(9, INFO.into())?.ok().map(drop)
}

fn batch(server: &mut Server) -> Verdict {
    const COUNT: u16 = 64;
    let client = server.attach()?;
    let request = |id: u16| match id % 2 {
        0 => message::message(id, INFO.into(), 0, &words(&[16, 0, 0, 0])),
        _ => message::message(id, Command::RegionRead.into(), 0, &message::config(0, 4)),
    };
    client.send(&(0..COUNT).flat_map(request).collect::<Vec<_>>(), &[])?;
    for id in 0..COUNT {
        let command = if id % 2 == 0 { INFO } else { Command::RegionRead };
        client.answer(id, command.into())?.ok()?;
    }
    Ok(())
}

fn posted_order(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    let line = message::config(cfg::INTERRUPT_LINE, 1);
    let before = client.succeeds(Command::RegionRead, &line, &[])?.payload;
    let Some(before) = before.get(16).copied() else { return fail("the read returns no data") };
    let write = |value: u8| {
        let payload = [&line[..], &[value]].concat();
        message::message(3, Command::RegionWrite.into(), flag::NO_REPLY, &payload)
    };
    for value in [0x11, 0x22, before] {
        client.send(&write(value), &[])?;
        let read = client.succeeds(Command::RegionRead, &line, &[])?.payload;
        equal("the interrupt line register", read.get(16).copied(), Some(value))?;
    }
    Ok(())
}

fn unread(server: &mut Server) -> Verdict {
    const COUNT: u16 = 100;
    let client = server.attach()?;
    let command = Command::RegionRead.into();
    for id in 0..COUNT {
        client.send(&message::message(id, command, 0, &message::config(0, 256)), &[])?;
    }
    for id in 0..COUNT {
        let reply = client.answer(id, command)?;
        equal("the length of a reply", reply.payload.len(), 16 + 256)?;
    }
    Ok(())
}

/// Sends descriptors with a message that takes none: it may be served or refused, and the other
/// ends see that they are closed.
fn descriptors(server: &mut Server, count: usize) -> Verdict {
    let io = |error: std::io::Error| Stop::Skipped(error.to_string());
    let mut client = server.attach()?;
    let (mut ours, theirs) = UnixStream::pair().map_err(io)?;
    ours.set_read_timeout(Some(server.patience)).map_err(io)?;
    let theirs = OwnedFd::from(theirs);
    let fds: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(); count];
    let id = client.id();
    client.send(&message::message(id, INFO.into(), 0, &words(&[16, 0, 0, 0])), &fds)?;
    let is_open = client.receive()?.is_some();
    if is_open {
        client.alive()?;
    }
    drop(fds);
    drop(theirs);
    match ours.read(&mut [0]) {
        Ok(0) => Ok(()),
        _ => fail("the server keeps descriptors that it has no use for"),
    }
}
