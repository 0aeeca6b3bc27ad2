//! Several writes in one message.

use vfio_user::pci::spec::cfg;
use vfio_user::protocol::Command;

use super::super::check::{Check, Verdict, equal, skip};
use super::super::connection::Connection;
use super::super::message::{self, longs, u64_at};
use super::super::server::Server;
use super::access::read;

const SECTION: &str = "VFIO_USER_REGION_WRITE_MULTI";
const LINE: usize = cfg::INTERRUPT_LINE;

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "multi",
        SECTION,
        "the writes are done in order, and the reply has their number",
        |server| {
            let mut client = attach(server)?;
            let before = read(&mut client, LINE, 1)?[0];
            let writes = [entry(LINE, 1, !before), entry(LINE, 1, before ^ 0x0f)].concat();
            let request = [longs(&[2]), writes].concat();
            let reply = client.succeeds(Command::RegionWriteMulti, &request, &[])?;
            equal("the number of writes", u64_at(&reply.payload, 0)?, 2)?;
            equal("the register", read(&mut client, LINE, 1)?[0], before ^ 0x0f)?;
            let request = [longs(&[1]), entry(LINE, 1, before)].concat();
            client.succeeds(Command::RegionWriteMulti, &request, &[]).map(drop)
        },
    ),
    Check::required(
        "multi-wrong-count",
        SECTION,
        "a number of writes that is not that of the entries is refused",
        |server| {
            let mut client = attach(server)?;
            [2, 1 << 61, u64::MAX].iter().try_for_each(|count| {
                let request = [longs(&[*count]), entry(LINE, 1, 0)].concat();
                let what = format!("{count} writes in one entry");
                client.refuses(&what, Command::RegionWriteMulti, &request, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "multi-wrong-entry",
        SECTION,
        "a write of more than 8 bytes, or beyond its region, is refused",
        |server| {
            let mut client = attach(server)?;
            [entry(LINE, 9, 0), entry(usize::MAX, 1, 0)].iter().try_for_each(|entry| {
                let request = [&longs(&[1]), &entry[..]].concat();
                client.refuses("an entry", Command::RegionWriteMulti, &request, &[]).map(drop)
            })
        },
    ),
];

fn attach(server: &mut Server) -> Verdict<Connection> {
    let client = server.attach()?;
    if client.server.write_multiple { Ok(client) } else { skip("the server does not offer it") }
}

fn entry(offset: usize, count: u32, value: u8) -> Vec<u8> {
    [message::config(offset, count), vec![value, 0, 0, 0, 0, 0, 0, 0]].concat()
}
