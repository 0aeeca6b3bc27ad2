//! Accesses to regions. They go to configuration space, which every device has.

use vfio_user::pci::spec::cfg;
use vfio_user::protocol::{Command, RegionFlags, RegionIndex};

use super::super::check::{Check, Verdict, ensure, equal, fail, skip};
use super::super::connection::Connection;
use super::super::message::{self, u32_at, u64_at};
use super::super::server::Server;
use super::info::num_regions;

const READ: &str = "VFIO_USER_REGION_READ";
const WRITE: &str = "VFIO_USER_REGION_WRITE";
const CONFIG: u32 = 7;
const LINE: usize = cfg::INTERRUPT_LINE;

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "read",
        READ,
        "the reply repeats offset, region and count, and has as many bytes",
        |server| {
            let mut client = server.attach()?;
            [(0, 4), (0, 1), (2, 2), (0, 64)]
                .iter()
                .try_for_each(|(offset, count)| read(&mut client, *offset, *count).map(drop))
        },
    ),
    Check::robust(
        "read-whole",
        READ,
        "config space is read in one message, as QEMU does",
        |server| {
            let mut client = server.attach()?;
            let size = config_size(&mut client)?;
            let whole = read(&mut client, 0, u32::try_from(size).unwrap_or(0))?;
            equal("vendor and device id", read(&mut client, 0, 4)?, whole[..4].to_vec())
        },
    ),
    Check::robust("read-unaligned", READ, "reads of any width and alignment succeed", |server| {
        let mut client = server.attach()?;
        let whole = read(&mut client, 0, 16)?;
        [(1, 1), (1, 2), (3, 3), (1, 4), (2, 8)].iter().try_for_each(|(offset, count)| {
            let bytes = read(&mut client, *offset, *count)?;
            equal("the data", &bytes[..], &whole[*offset..][..*count as usize])
        })
    }),
    Check::robust(
        "read-nothing",
        READ,
        "a read of 0 bytes succeeds, with the fixed part of the reply",
        |server| read(&mut server.attach()?, 0, 0).map(drop),
    ),
    Check::required(
        "read-beyond",
        READ,
        "a read that ends beyond its region is refused",
        |server| {
            let mut client = server.attach()?;
            BEYOND.iter().try_for_each(|(offset, count)| {
                let what = format!("{count} bytes at {offset:#x}");
                let access = message::access(CONFIG, *offset, *count);
                client.refuses(&what, Command::RegionRead, &access, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "read-too-much",
        READ,
        "a read of more than max_data_xfer_size is refused at once",
        |server| {
            let mut client = server.attach()?;
            let most = u32::try_from(client.server.max_data_xfer_size).unwrap_or(u32::MAX);
            [most.saturating_add(1), u32::MAX].iter().try_for_each(|count| {
                let access = message::access(CONFIG, 0, *count);
                let what = format!("{count} bytes");
                client.refuses(&what, Command::RegionRead, &access, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "read-no-region",
        READ,
        "a read of a region that does not exist is refused",
        |server| no_region(server, Command::RegionRead, &[]),
    ),
    Check::required(
        "read-absent-region",
        READ,
        "a read of a region without the flag READ is refused",
        absent,
    ),
    Check::required(
        "write",
        WRITE,
        "the reply repeats offset, region and count, and the register has the value",
        write_is_read,
    ),
    Check::required(
        "write-wrong-count",
        WRITE,
        "a write whose count is not the length of its data is refused, and writes nothing",
        wrong_count,
    ),
    Check::required(
        "write-beyond",
        WRITE,
        "a write that ends beyond its region is refused",
        |server| {
            let mut client = server.attach()?;
            BEYOND.iter().try_for_each(|(offset, count)| {
                let what = format!("{count} bytes at {offset:#x}");
                let access = message::access(CONFIG, *offset, *count);
                let write = [access, vec![0; *count as usize]].concat();
                client.refuses(&what, Command::RegionWrite, &write, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "write-no-region",
        WRITE,
        "a write to a region that does not exist is refused",
        |server| no_region(server, Command::RegionWrite, &[0; 4]),
    ),
];

/// Reads from config space, and checks the reply.
pub(super) fn read(client: &mut Connection, offset: usize, count: u32) -> Verdict<Vec<u8>> {
    let access = message::config(offset, count);
    let mut payload = client.succeeds(Command::RegionRead, &access, &[])?.payload;
    equal("the length of the reply", payload.len(), 16 + count as usize)?;
    let data = payload.split_off(16);
    equal("the request in the reply", payload, access)?;
    Ok(data)
}

/// Writes to config space, and checks the reply.
pub(super) fn write(client: &mut Connection, offset: usize, value: u8) -> Verdict {
    let access = message::config(offset, 1);
    let request = [&access[..], &[value]].concat();
    let reply = client.succeeds(Command::RegionWrite, &request, &[])?;
    equal("the reply", reply.payload, access)
}

fn config_size(client: &mut Connection) -> Verdict<u64> {
    let request = message::region_info(4096, CONFIG);
    let reply = client.succeeds(Command::DeviceGetRegionInfo, &request, &[])?;
    let size = u64_at(&reply.payload, 16)?;
    if (64..=4096).contains(&size) { Ok(size) } else { fail(format!("its size is {size}")) }
}

/// Accesses that begin or end beyond the largest configuration space. A server may answer with
/// ones between 256 and 4096.
const BEYOND: [(u64, u32); 5] = [(4096, 4), (4095, 2), (4096, 1), (u64::MAX, 1), (u64::MAX - 2, 4)];

fn no_region(server: &mut Server, command: Command, data: &[u8]) -> Verdict {
    let mut client = server.attach()?;
    let regions = num_regions(&mut client)?;
    [regions, u32::MAX].iter().try_for_each(|region| {
        let access = [&message::access(*region, 0, 4), data].concat();
        client.refuses(&format!("region {region}"), command, &access, &[]).map(drop)
    })
}

fn absent(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    for index in 0..num_regions(&mut client)?.min(256) {
        let request = message::region_info(4096, index);
        let reply = client.succeeds(Command::DeviceGetRegionInfo, &request, &[])?;
        if u32_at(&reply.payload, 4)? & RegionFlags::READ.bits() == 0 {
            let access = message::access(index, 0, 4);
            let what = RegionIndex::from(index).to_string();
            return client.refuses(&what, Command::RegionRead, &access, &[]).map(drop);
        }
    }
    skip("every region is readable")
}

fn write_is_read(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    let before = read(&mut client, LINE, 1)?[0];
    for value in [0x5a, 0xa5, before] {
        write(&mut client, LINE, value)?;
        equal("the interrupt line register", read(&mut client, LINE, 1)?[0], value)?;
    }
    Ok(())
}

fn wrong_count(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    let before = read(&mut client, LINE, 1)?[0];
    for (count, len) in [(4, 0), (4, 3), (1, 2), (0, 1), (u32::MAX, 4)] {
        let request = [message::config(LINE, count), vec![!before; len]].concat();
        let what = format!("a count of {count} with {len} bytes");
        client.refuses(&what, Command::RegionWrite, &request, &[])?;
    }
    let after = read(&mut client, LINE, 1)?[0];
    ensure(after == before, || "a refused write has written".into())
}
