//! The states of a migration, and its data.

use vfio_user::protocol::{Command, Feature, MigrationFlags, MigrationState};

use super::super::check::{Check, Verdict, ensure, equal, fail, skip};
use super::super::connection::{Connection, errno};
use super::super::message::{u32_at, u64_at, words};
use super::super::server::Server;
use super::feature::{get, set};
use super::reset::reset;
use MigrationState::{PreCopy, Resuming, Running, Stop, StopCopy};

const STATE: &str = "VFIO_USER_DEVICE_FEATURE";
const READ: &str = "VFIO_USER_MIG_DATA_READ";
const WRITE: &str = "VFIO_USER_MIG_DATA_WRITE";

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "migration-running",
        STATE,
        "a device that migrates can STOP_COPY, and runs when a client attaches",
        |server| {
            let (mut client, flags) = attach(server)?;
            ensure(flags.contains(MigrationFlags::STOP_COPY), || format!("flags are {flags:?}"))?;
            is_in(&mut client, Running)
        },
    ),
    Check::required(
        "migration-arcs",
        STATE,
        "every direct arc between two states is taken",
        |server| {
            let (mut client, _) = attach(server)?;
            walk(&mut client, &[Stop, StopCopy, Stop, Running, Stop, Resuming])?;
            reset(&mut client)
        },
    ),
    Check::required(
        "migration-pre-copy",
        STATE,
        "a device with PRE_COPY goes to it while it runs, back, and on to STOP_COPY",
        |server| {
            let (mut client, flags) = attach(server)?;
            if !flags.contains(MigrationFlags::PRE_COPY) {
                return skip("the device has no PRE_COPY");
            }
            walk(&mut client, &[PreCopy, Running, PreCopy, StopCopy, Stop, Running])
        },
    ),
    Check::required(
        "migration-combined",
        STATE,
        "arcs are combined where no direct one exists, and the same state is no change",
        |server| {
            let (mut client, _) = attach(server)?;
            walk(&mut client, &[Running, StopCopy, StopCopy, Running, Stop, Stop, Running])
        },
    ),
    Check::required(
        "migration-refused",
        STATE,
        "states that do not exist, ERROR, and PRE_COPY after STOP_COPY are refused without effect",
        refused,
    ),
    Check::required(
        "migration-data",
        READ,
        "the data ends, and the same data brings the device back",
        round_trip,
    ),
    Check::required(
        "migration-data-state",
        READ,
        "no data is read or written in a state without a stream",
        |server| {
            let (mut client, _) = attach(server)?;
            let read = words(&[8 + 16, 16]);
            client.refuses("a read while it runs", Command::MigDataRead, &read, &[])?;
            let write = [words(&[8 + 4, 4]), vec![0; 4]].concat();
            client.refuses("a write while it runs", Command::MigDataWrite, &write, &[]).map(drop)
        },
    ),
    Check::required(
        "migration-data-size",
        READ,
        "a read that is larger than its argsz or than max_data_xfer_size is refused",
        |server| {
            let (mut client, _) = attach(server)?;
            walk(&mut client, &[StopCopy])?;
            [[8, 16], [u32::MAX, u32::MAX]].iter().try_for_each(|[argsz, size]| {
                let what = format!("{size} bytes with an argsz of {argsz}");
                let request = words(&[*argsz, *size]);
                // What is asked for in another state may be refused for its state.
                let reply = client.call(Command::MigDataRead, &request, &[])?;
                ensure(reply.errno().is_some(), || format!("{what}: it succeeds"))
            })?;
            walk(&mut client, &[Stop, Running])
        },
    ),
    Check::required(
        "migration-short-data",
        WRITE,
        "a write with less data than its size is refused",
        |server| {
            let (mut client, _) = attach(server)?;
            walk(&mut client, &[Resuming])?;
            for (size, len) in [(16, 4), (u32::MAX, 4)] {
                let request = [words(&[u32::MAX, size]), vec![0; len]].concat();
                let reply = client.call(Command::MigDataWrite, &request, &[])?;
                ensure(reply.errno().is_some(), || format!("{size} bytes in {len}: it succeeds"))?;
            }
            reset(&mut client)
        },
    ),
    Check::robust(
        "migration-garbage",
        WRITE,
        "a device that was given wrong data runs after a reset",
        |server| {
            let (mut client, _) = attach(server)?;
            walk(&mut client, &[Resuming])?;
            let write = [words(&[8 + 64, 64]), vec![0xa5; 64]].concat();
            // It may be refused, now or at the end.
            client.call(Command::MigDataWrite, &write, &[])?;
            change(&mut client, Stop.into())?;
            reset(&mut client)?;
            is_in(&mut client, Running)
        },
    ),
];

/// Attaches to a device that migrates.
fn attach(server: &mut Server) -> Verdict<(Connection, MigrationFlags)> {
    let mut client = server.attach()?;
    let reply = get(&mut client, Feature::Migration, &[])?;
    if reply.errno().is_some() {
        return skip("the device does not migrate");
    }
    let flags = MigrationFlags::from_bits_retain(u64_at(&reply.payload, 8)?);
    if flags.is_empty() { skip("the device does not migrate") } else { Ok((client, flags)) }
}

fn is_in(client: &mut Connection, state: MigrationState) -> Verdict {
    let reply = get(client, Feature::MigDeviceState, &[])?.ok()?;
    let number = u32_at(&reply.payload, 8)?;
    match MigrationState::try_from(number) {
        Ok(found) => equal("the state", found, state),
        Err(error) => fail(error.to_string()),
    }
}

/// Requests a state, and returns the error.
fn change(client: &mut Connection, state: u32) -> Verdict<Option<u32>> {
    Ok(set(client, Feature::MigDeviceState, &words(&[state, 0]))?.errno())
}

/// Goes from state to state.
fn walk(client: &mut Connection, states: &[MigrationState]) -> Verdict {
    for state in states {
        if let Some(error) = change(client, (*state).into())? {
            return fail(format!("{state:?} is refused with {}", errno(error)));
        }
        is_in(client, *state)?;
    }
    Ok(())
}

fn refused(server: &mut Server) -> Verdict {
    const ERROR: u32 = 0;
    let (mut client, flags) = attach(server)?;
    let mut states = vec![ERROR, 8, 9, u32::MAX];
    if !flags.contains(MigrationFlags::P2P) {
        states.push(MigrationState::RunningP2p.into());
    }
    if !flags.contains(MigrationFlags::PRE_COPY) {
        states.push(PreCopy.into());
    }
    for state in states {
        let error = change(&mut client, state)?;
        ensure(error.is_some(), || format!("state {state} is accepted while it runs"))?;
        is_in(&mut client, Running)?;
    }
    walk(&mut client, &[StopCopy])?;
    let error = change(&mut client, PreCopy.into())?;
    ensure(error.is_some(), || "PRE_COPY is accepted after STOP_COPY".into())?;
    is_in(&mut client, StopCopy)?;
    walk(&mut client, &[Stop, Running])
}

/// Saves the state and loads it into the same device.
fn round_trip(server: &mut Server) -> Verdict {
    let (mut client, _) = attach(server)?;
    walk(&mut client, &[StopCopy])?;
    let data = save(&mut client)?;
    walk(&mut client, &[Stop, Resuming])?;
    for part in data.chunks(PART as usize) {
        let len = u32::try_from(part.len()).unwrap_or(0);
        let request = [&words(&[8 + len, len]), part].concat();
        client.succeeds(Command::MigDataWrite, &request, &[])?;
    }
    walk(&mut client, &[Stop, Running])?;
    client.alive()
}

/// The bytes of a transfer, which every known server takes in one piece.
const PART: u32 = 16384;

fn save(client: &mut Connection) -> Verdict<Vec<u8>> {
    const MOST: usize = 256 << 20;
    let mut data = Vec::new();
    let request = words(&[8 + PART, PART]);
    loop {
        let reply = client.succeeds(Command::MigDataRead, &request, &[])?.payload;
        let len = u32_at(&reply, 4)?;
        let Some(part) = reply
            .get(8..)
            .and_then(|data| data.get(..len.min(PART) as usize))
            .filter(|_| len <= PART)
        else {
            return fail(format!("a read of {PART} bytes returns {len}"));
        };
        if part.is_empty() {
            return Ok(data);
        }
        data.extend_from_slice(part);
        ensure(data.len() <= MOST, || format!("the data has not ended after {MOST} bytes"))?;
    }
}
