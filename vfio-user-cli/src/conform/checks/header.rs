//! Headers, right and wrong ones.

use vfio_user::pci::spec::cfg;
use vfio_user::protocol::{Command, RegionIndex};

use super::super::check::{Check, Verdict, ensure, equal, fail};
use super::super::connection::{Connection, Refusal, Reply, name};
use super::super::message::{self, HEADER, flag, words};
use super::super::server::Server;

const SECTION: &str = "Header";

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "header-reply",
        SECTION,
        "a reply has type 1, the message id and the command of the request, whatever the id is",
        reply,
    ),
    Check::required(
        "header-error-alone",
        SECTION,
        "an error reply consists of the header",
        |server| {
            let payload = refused(server)?.payload;
            equal("the length of the payload of an error", payload.len(), 0)
        },
    ),
    Check::robust(
        "header-error-number",
        SECTION,
        "an error reply has an error number other than 0, which clients take as success",
        |server| ensure(refused(server)?.error != 0, || "the error number is 0".into()),
    ),
    Check::robust(
        "header-unknown-command",
        SECTION,
        "an unknown command is refused, and its payload skipped",
        |server| refuses_commands(server, &[0, 14, 19, 100, 0xffff]),
    ),
    Check::robust(
        "header-command-of-server",
        SECTION,
        "DMA_READ and DMA_WRITE of a client are refused",
        |server| refuses_commands(server, &[11, 12]),
    ),
    Check::robust(
        "header-short-payload",
        SECTION,
        "a payload that is too short for its command is refused, and the next message understood",
        short_payloads,
    ),
    Check::robust(
        "header-size-small",
        SECTION,
        "a size below that of the header is refused, or the connection is closed",
        |server| [0, 1, 15].iter().try_for_each(|size| wrong_size(server, *size)),
    ),
    Check::robust(
        "header-size-absurd",
        SECTION,
        "a size of gigabytes is refused at once, or the connection is closed",
        |server| [0x7fff_ffff, u32::MAX].iter().try_for_each(|size| wrong_size(server, *size)),
    ),
    Check::robust(
        "header-size-large",
        SECTION,
        "a message above the limit is refused and skipped, or the connection is closed",
        large,
    ),
    Check::robust(
        "header-wrong-type",
        SECTION,
        "a type that is neither command nor reply is refused, or the connection is closed",
        wrong_types,
    ),
    Check::robust(
        "header-stray-reply",
        SECTION,
        "a reply to no request is not answered",
        stray_reply,
    ),
    Check::required(
        "header-no-reply",
        SECTION,
        "a command with No_reply is not answered",
        |server| silent(server, &message::config(cfg::INTERRUPT_LINE, 1)),
    ),
    Check::robust(
        "header-no-reply-refused",
        SECTION,
        "a command with No_reply that fails is not answered; QEMU drops the connection otherwise",
        |server| silent(server, &message::access(u32::MAX, 0, 1)),
    ),
];

fn reply(server: &mut Server) -> Verdict {
    let client = server.attach()?;
    let command = Command::DeviceGetInfo.into();
    for id in [0, 1, 1, 0x7fff, 0xffff, 2] {
        client.send(&message::message(id, command, 0, &words(&[16, 0, 0, 0])), &[])?;
        let reply = client.answer(id, command)?;
        equal("the flags of a success", reply.flags, flag::REPLY)?;
    }
    Ok(())
}

/// Returns the reply to a request that is wrong in every device.
fn refused(server: &mut Server) -> Verdict<Reply> {
    let mut client = server.attach()?;
    let reply = client.call(Command::RegionRead, &message::access(u32::MAX, 0, 4), &[])?;
    if reply.errno().is_none() {
        return fail("a read of region 0xffffffff succeeds");
    }
    Ok(reply)
}

fn refuses_commands(server: &mut Server, commands: &[u16]) -> Verdict {
    let mut client = server.attach()?;
    for command in commands {
        for len in [0, 16, 5000] {
            let what = format!("{} with {len} bytes", name(*command));
            client.refuses(&what, *command, &vec![0; len], &[])?;
        }
    }
    Ok(())
}

/// Every command with the fixed part of its payload.
const FIXED: [(Command, usize); 8] = [
    (Command::DmaMap, 32),
    (Command::DmaUnmap, 24),
    (Command::DeviceGetInfo, 16),
    (Command::DeviceGetRegionInfo, 32),
    (Command::DeviceGetIrqInfo, 16),
    (Command::DeviceSetIrqs, 20),
    (Command::RegionRead, 16),
    (Command::RegionWrite, 16),
];

fn short_payloads(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    for (command, fixed) in FIXED {
        for len in [0, 1, fixed - 1] {
            let what = format!("a payload of {len} bytes instead of {fixed}");
            client.refuses(&what, command, &vec![0; len], &[])?;
        }
    }
    Ok(())
}

/// Sends a header that claims a size, and nothing else.
fn wrong_size(server: &mut Server, size: u32) -> Verdict {
    let client = server.attach()?;
    let command = Command::RegionWrite.into();
    client.send(&message::header(7, command, size, 0), &[])?;
    client.refused(&format!("a size of {size}"), command).map(drop)
}

fn large(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    let limit = usize::try_from(client.server.max_data_xfer_size).unwrap_or(0);
    if limit > 8 << 20 {
        return super::super::check::skip("the limit of the server is above 8 MiB");
    }
    let access = message::access(RegionIndex::Config.into(), 0, u32::MAX);
    let payload = [access, vec![0; limit + 1]].concat();
    let (id, command) = (client.id(), Command::RegionWrite.into());
    // A server that closes the connection does not receive everything.
    let _ = client.try_send(&message::message(id, command, 0, &payload), &[]);
    match client.refused("more data than the limit", command)? {
        Refusal::Closed => Ok(()),
        Refusal::Error(_) => client.alive(),
    }
}

fn wrong_types(server: &mut Server) -> Verdict {
    for kind in [2, 15] {
        let client = server.attach()?;
        let command = Command::DeviceGetInfo.into();
        client.send(&message::message(7, command, kind, &words(&[16, 0, 0, 0])), &[])?;
        client.refused(&format!("type {kind}"), command)?;
    }
    Ok(())
}

fn stray_reply(server: &mut Server) -> Verdict {
    let client = server.attach()?;
    let (stray, command) = (0x7777, Command::DmaRead.into());
    client.send(&message::message(stray, command, flag::REPLY, &[0; 16]), &[])?;
    let command = Command::DeviceGetInfo.into();
    // The server may have closed the connection.
    let _ = client.try_send(&message::message(1, command, 0, &words(&[16, 0, 0, 0])), &[]);
    match client.receive()? {
        Some(reply) if reply.id == stray => fail("the server answers a reply"),
        Some(reply) => equal("the id of the next reply", reply.id, 1),
        None => Ok(()),
    }
}

/// Checks that a write without reply is not answered.
fn silent(server: &mut Server, access: &[u8]) -> Verdict {
    let mut client = server.attach()?;
    let value = interrupt_line(&mut client)?;
    let write = [access, &[value]].concat();
    let id = client.id();
    client.send(&message::message(id, Command::RegionWrite.into(), flag::NO_REPLY, &write), &[])?;
    // A reply has the wrong id.
    client.alive()
}

/// Reads a register that is memory in every device.
fn interrupt_line(client: &mut Connection) -> Verdict<u8> {
    let read = message::config(cfg::INTERRUPT_LINE, 1);
    let reply = client.succeeds(Command::RegionRead, &read, &[])?;
    let value = reply.payload.get(HEADER).copied();
    value.map_or_else(|| fail("the reply to a read has no data"), Ok)
}
