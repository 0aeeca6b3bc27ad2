//! Clients that leave in the middle, and several of them.

use std::thread;
use std::time::{Duration, Instant};

use vfio_user::protocol::Command;

use super::super::check::{Check, Stop, Verdict, ensure, skip};
use super::super::connection::Connection;
use super::super::message::{self, flag, words};
use super::super::server::Server;
use super::dma::{map_memory, memory, seal};

const SECTION: &str = "Socket Disconnect Behavior";

pub(super) const CHECKS: &[Check] = &[
    Check::robust(
        "life-partial-header",
        SECTION,
        "a client may disconnect in the middle of a header",
        |server| leave_after(server, 7),
    ),
    Check::robust(
        "life-partial-payload",
        SECTION,
        "a client may disconnect in the middle of a payload",
        |server| leave_after(server, 20),
    ),
    Check::robust(
        "life-unread-replies",
        SECTION,
        "a client may disconnect without receiving its replies",
        |server| {
            let client = server.attach()?;
            let read = message::config(0, 256);
            for id in 0..100 {
                client.send(&message::message(id, Command::RegionRead.into(), 0, &read), &[])?;
            }
            Ok(())
        },
    ),
    Check::robust(
        "life-silent-client",
        SECTION,
        "a client may disconnect without sending anything",
        |server| server.connect().map(drop),
    ),
    Check::robust("life-garbage", SECTION, "bytes that are no message do no harm", |server| {
        let client = server.connect()?;
        let garbage: Vec<u8> =
            (0..4096u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        // The server may have closed the connection.
        let _ = client.try_send(&garbage, &[]);
        Ok(())
    }),
    Check::required(
        "life-next-client",
        SECTION,
        "the next client is served with the state of the device, unless the server ends",
        |server| {
            drop(server.attach()?);
            match server.attach_again()? {
                Some(mut client) => client.alive(),
                None => skip("the server ends with its client"),
            }
        },
    ),
    Check::required(
        "life-releases-memory",
        SECTION,
        "the server unmaps and closes the memory of a client that has left",
        releases,
    ),
    Check::robust(
        "life-second-client",
        SECTION,
        "a second client does not disturb the first one",
        |server| {
            let mut first = server.attach()?;
            let Ok(second) = server.connect_again() else { return first.alive() };
            let proposal = message::version(0, "{}");
            // It may be refused, or wait.
            let _ = second.try_send(
                &message::message(1, Command::Version.into(), flag::NO_REPLY, &proposal),
                &[],
            );
            first.alive()?;
            drop(second);
            first.alive()
        },
    ),
];

/// Disconnects after some bytes of a message.
fn leave_after(server: &mut Server, len: usize) -> Verdict {
    let client: Connection = server.attach()?;
    let message = message::message(1, Command::DeviceGetInfo.into(), 0, &words(&[16, 0, 0, 0]));
    client.send(&message[..len], &[])
}

fn releases(server: &mut Server) -> Verdict {
    let file = memory()?;
    let mut client = server.attach()?;
    map_memory(&mut client, &file)?;
    drop(client);
    let deadline = Instant::now() + server.patience;
    while seal(&file).is_err() {
        ensure(Instant::now() < deadline, || "the memory is still mapped".into())?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok::<(), Stop>(())
}
