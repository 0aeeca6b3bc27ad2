//! Resets.

use std::os::fd::AsFd as _;

use vfio_user::pci::spec::cfg;
use vfio_user::protocol::{Command, DeviceFlags};

use super::super::check::{Check, Verdict, ensure, equal, skip};
use super::super::connection::Connection;
use super::super::message::{dma_map, u32_at, words};
use super::super::server::Server;
use super::access::{read, write};
use super::dma::{IOVA, map_memory, memory};

const SECTION: &str = "VFIO_USER_DEVICE_RESET";
const LINE: usize = cfg::INTERRUPT_LINE;

pub(super) const CHECKS: &[Check] = &[
    Check::robust(
        "reset-device",
        SECTION,
        "a reset returns configuration space to its first state, as that of a function does",
        |server| {
            let mut client = attach(server)?;
            reset(&mut client)?;
            let first = read(&mut client, LINE, 1)?[0];
            write(&mut client, LINE, !first)?;
            reset(&mut client)?;
            equal("the interrupt line register", read(&mut client, LINE, 1)?[0], first)
        },
    ),
    Check::required(
        "reset-keeps-memory",
        SECTION,
        "a reset leaves mappings of the client's memory as they are",
        |server| {
            let mut client = attach(server)?;
            let file = memory()?;
            map_memory(&mut client, &file)?;
            reset(&mut client)?;
            // Part of it, so that it is no repetition.
            let again = dma_map(3, 0, IOVA, 4096);
            let reply = client.call(Command::DmaMap, &again, &[file.as_fd()])?;
            ensure(reply.errno().is_some(), || "the memory is not mapped any more".into())
        },
    ),
];

fn attach(server: &mut Server) -> Verdict<Connection> {
    let mut client = server.attach()?;
    let reply = client.succeeds(Command::DeviceGetInfo, &words(&[16, 0, 0, 0]), &[])?;
    let resets = u32_at(&reply.payload, 4)? & DeviceFlags::RESET.bits() != 0;
    if resets { Ok(client) } else { skip("the device has no reset") }
}

/// Resets the device.
pub(super) fn reset(client: &mut Connection) -> Verdict {
    let reply = client.succeeds(Command::DeviceReset, &[], &[])?;
    equal("the length of the reply to DEVICE_RESET", reply.payload.len(), 0)
}
