//! Negotiation of version and capabilities.

use vfio_user::protocol::{Command, Version};

use super::super::check::{Check, Stop, Verdict, ensure, equal, fail};
use super::super::connection::{Connection, Reply};
use super::super::message::{self, words};
use super::super::server::Server;

const SECTION: &str = "VFIO_USER_VERSION";

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "version-agreed",
        SECTION,
        "a proposal of 0.0 is accepted; the reply has this version and JSON as specified",
        |server| agreed(server, &message::version(0, "{\"capabilities\":{}}"), 0),
    ),
    Check::required(
        "version-later-minor",
        SECTION,
        "a proposal of a later minor version is accepted; the reply has no later one",
        |server| agreed(server, &message::version(77, "{\"capabilities\":{}}"), 77),
    ),
    Check::required(
        "version-other-major",
        SECTION,
        "a proposal of major version 1 is refused, or the connection is closed",
        |server| {
            let proposal = [&words(&[1]), &b"{}\0"[..]].concat();
            refused(server, "major version 1", &proposal)
        },
    ),
    Check::required(
        "version-without-json",
        SECTION,
        "the capabilities of a proposal are optional",
        |server| agreed(server, &[0; 4], 0),
    ),
    Check::required(
        "version-without-capabilities",
        SECTION,
        "the member `capabilities` of a proposal is optional",
        |server| agreed(server, &message::version(0, "{}"), 0),
    ),
    Check::required(
        "version-unknown-members",
        SECTION,
        "unknown members of a proposal are ignored",
        |server| {
            let json = "{\"colour\":[1,{}],\"capabilities\":{\"wings\":{\"count\":2}}}";
            agreed(server, &message::version(0, json), 0)
        },
    ),
    Check::required(
        "version-short",
        SECTION,
        "a proposal of less than 4 bytes is refused",
        |server| (0..4).try_for_each(|len| refused(server, "a short proposal", &vec![0; len])),
    ),
    Check::required(
        "version-without-nul",
        SECTION,
        "a proposal whose JSON does not end with a NUL is refused",
        |server| refused(server, "JSON without NUL", b"\0\0\0\0{\"capabilities\":{}}"),
    ),
    Check::required(
        "version-wrong-json",
        SECTION,
        "a proposal whose text is not a JSON object is refused",
        |server| {
            let texts = ["{\"capabilities\":", "[]", "{}{}", "\u{1}", "{\"capabilities\":7}"];
            texts.iter().try_for_each(|text| refused(server, text, &message::version(0, text)))
        },
    ),
    Check::robust(
        "version-wrong-types",
        SECTION,
        "a proposal with a capability of the wrong type is refused",
        |server| {
            ["\"eight\"", "8.5", "-1", "[8]"].iter().try_for_each(|value| {
                let json = format!("{{\"capabilities\":{{\"max_msg_fds\":{value}}}}}");
                refused(server, &json, &message::version(0, &json))
            })
        },
    ),
    Check::robust(
        "version-absurd-numbers",
        SECTION,
        "limits of 0 or 2^64-1 do no harm to the server",
        |server| {
            ["0", "18446744073709551615", "99999999999999999999"]
                .iter()
                .try_for_each(absurd(server))
        },
    ),
    Check::robust(
        "version-deep-json",
        SECTION,
        "JSON of 100000 nested arrays does no harm to the server",
        |server| answered(server, &message::version(0, &"[".repeat(100_000))),
    ),
    Check::required(
        "version-first",
        SECTION,
        "no command is served before the version is negotiated",
        |server| {
            let mut client = server.connect()?;
            let info = words(&[16, 0, 0, 0]);
            client.refuses_or_closes("before VERSION", Command::DeviceGetInfo, &info).map(drop)
        },
    ),
    Check::robust(
        "version-twice",
        SECTION,
        "a second negotiation is refused, or the connection is closed",
        |server| {
            let mut client = server.attach()?;
            let proposal = message::version(0, "{}");
            client.refuses_or_closes("a second time", Command::Version, &proposal).map(drop)
        },
    ),
    Check::required(
        "version-limits",
        SECTION,
        "a server can transfer data, map memory and use pages of 4096 bytes or more",
        limits,
    ),
    Check::robust(
        "version-size",
        SECTION,
        "the reply is at most as long as QEMU's proposal of 214 bytes; QEMU refuses longer ones",
        |server| {
            let mut client = server.connect()?;
            let reply = client.succeeds(Command::Version, &message::version(0, "{}"), &[])?;
            let len = reply.payload.len() + message::HEADER;
            ensure(len <= 214, || format!("the reply has {len} bytes"))
        },
    ),
    Check::required(
        "version-no-twin",
        SECTION,
        "no second socket is sent to a client that has not proposed one",
        |server| {
            let mut client = server.connect()?;
            let (_, reply) = negotiated(&mut client, &message::version(0, "{}"))?;
            equal("the number of descriptors", reply.fds.len(), 0)
        },
    ),
    Check::required(
        "version-twin",
        SECTION,
        "a second socket comes with its index among the descriptors",
        twin,
    ),
];

/// Negotiates on a connection.
fn negotiated(client: &mut Connection, proposal: &[u8]) -> Verdict<(Version, Reply)> {
    let reply = client.succeeds(Command::Version, proposal, &[])?;
    match Version::decode(&reply.payload) {
        Ok(version) => Ok((version, reply)),
        Err(error) => fail(error.to_string()),
    }
}

/// Checks that a proposal is accepted, and that the session works.
fn agreed(server: &mut Server, proposal: &[u8], minor: u16) -> Verdict {
    let mut client = server.connect()?;
    let (version, _) = negotiated(&mut client, proposal)?;
    equal("the major version", version.major, 0)?;
    ensure(version.minor <= minor, || {
        format!("the minor version is {}, expected at most {minor}", version.minor)
    })?;
    client.alive()
}

/// Checks that a proposal is refused, and no session begins.
fn refused(server: &mut Server, what: &str, proposal: &[u8]) -> Verdict {
    let mut client = server.connect()?;
    client.refuses_or_closes(what, Command::Version, proposal).map(drop)
}

/// Checks that there is an answer of any kind.
fn answered(server: &mut Server, proposal: &[u8]) -> Verdict {
    let mut client = server.connect()?;
    let id = client.id();
    // The server may close the connection before it has received everything.
    let _ = client.try_send(&message::message(id, Command::Version.into(), 0, proposal), &[]);
    client.receive().map(drop)
}

fn absurd(server: &mut Server) -> impl FnMut(&&str) -> Verdict {
    move |number| {
        let json = format!(
            "{{\"capabilities\":{{\"max_msg_fds\":{number},\"max_data_xfer_size\":{number},\
             \"max_dma_maps\":{number},\"pgsizes\":{number}}}}}"
        );
        answered(server, &message::version(0, &json))
    }
}

fn limits(server: &mut Server) -> Verdict {
    let limits = server.attach()?.server;
    ensure(limits.max_data_xfer_size > 0, || "max_data_xfer_size is 0".into())?;
    ensure(limits.max_dma_maps > 0, || "max_dma_maps is 0".into())?;
    ensure(limits.pgsizes >> 12 != 0, || format!("pgsizes is {:#x}", limits.pgsizes))
}

fn twin(server: &mut Server) -> Verdict {
    let mut client = server.connect()?;
    let json = "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}";
    let (version, reply) = negotiated(&mut client, &message::version(0, json))?;
    match version.capabilities.twin_socket.filter(|twin| twin.supported) {
        None => Err(Stop::Skipped("the server does not support it".into())),
        Some(twin) => {
            let index = twin.fd_index.and_then(|index| usize::try_from(index).ok());
            let has_it = index.is_some_and(|index| index < reply.fds.len());
            ensure(has_it, || {
                format!("fd_index is {index:?}, of {} descriptors", reply.fds.len())
            })?;
            client.alive()
        }
    }
}
