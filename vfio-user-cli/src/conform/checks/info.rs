//! What a server says of the device, its regions and interrupts.

use std::fs::File;
use std::ops::Range;

use vfio_user::protocol::{Command, DeviceFlags, RegionFlags, RegionIndex};

use super::super::check::{Check, Stop, Verdict, ensure, equal, fail};
use super::super::connection::{Connection, Reply};
use super::super::message::{self, u32_at, u64_at, words};
use super::super::server::Server;

const DEVICE: &str = "VFIO_USER_DEVICE_GET_INFO";
const REGION: &str = "VFIO_USER_DEVICE_GET_REGION_INFO";

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "device-info",
        DEVICE,
        "the reply has an argsz of 16, and a PCI device has regions up to config space",
        device,
    ),
    Check::required("device-info-argsz-small", DEVICE, "an argsz below 16 is refused", |server| {
        let mut client = server.attach()?;
        [0, 15].iter().try_for_each(|argsz| {
            let what = format!("an argsz of {argsz}");
            let payload = words(&[*argsz, 0, 0, 0]);
            client.refuses(&what, Command::DeviceGetInfo, &payload, &[]).map(drop)
        })
    }),
    Check::robust(
        "device-info-argsz-large",
        DEVICE,
        "an argsz above 16 is accepted; Cloud Hypervisor sends 32",
        |server| {
            let mut client = server.attach()?;
            let payload = words(&[32, 0, 0, 0]);
            let reply = client.succeeds(Command::DeviceGetInfo, &payload, &[])?;
            equal("the argsz of the reply", u32_at(&reply.payload, 0)?, 16)
        },
    ),
    Check::required(
        "region-info",
        REGION,
        "every region up to num_regions is described, also the absent ones",
        |server| each_region(server, |client, index| region(client, index).map(drop)),
    ),
    Check::required(
        "region-info-config",
        REGION,
        "config space is readable and writable and has 256 or 4096 bytes",
        |server| {
            let config = region(&mut server.attach()?, RegionIndex::Config.into())?;
            let flags = RegionFlags::READ | RegionFlags::WRITE;
            ensure(config.flags.contains(flags), || format!("flags are {:?}", config.flags))?;
            ensure([256, 4096].contains(&config.size), || format!("it has {} bytes", config.size))
        },
    ),
    Check::required("region-info-argsz-small", REGION, "an argsz below 32 is refused", |server| {
        refuses(server, "an argsz of 31", &message::region_info(31, 7))
    }),
    Check::required(
        "region-info-unknown",
        REGION,
        "an index from num_regions on is refused",
        |server| {
            let regions = num_regions(&mut server.attach()?)?;
            [regions, u32::MAX].iter().try_for_each(|index| {
                refuses(server, &format!("region {index}"), &message::region_info(32, *index))
            })
        },
    ),
    Check::required(
        "region-info-truncated",
        REGION,
        "without room for capabilities the reply has its fixed part and the argsz needed",
        |server| each_region(server, truncated),
    ),
    Check::robust(
        "region-info-long-request",
        REGION,
        "a request may be as long as its argsz; SPDK sends such ones",
        |server| {
            let mut request = message::region_info(4096, RegionIndex::Config.into());
            request.resize(4096, 0);
            server.attach()?.succeeds(Command::DeviceGetRegionInfo, &request, &[]).map(drop)
        },
    ),
    Check::required(
        "region-info-capabilities",
        REGION,
        "the chain of capabilities lies inside the reply and ends",
        |server| {
            each_region(server, |client, index| {
                let region = region(client, index)?;
                capabilities(&region).map(drop)
            })
        },
    ),
    Check::required(
        "region-info-areas",
        REGION,
        "mappable areas are page aligned, apart from each other, inside the region and its file",
        |server| each_region(server, |client, index| mappable(&region(client, index)?)),
    ),
];

/// A region as the server describes it.
struct Region {
    flags: RegionFlags,
    cap_offset: u32,
    size: u64,
    offset: u64,
    reply: Reply,
}

/// Returns the number of regions.
pub(super) fn num_regions(client: &mut Connection) -> Verdict<u32> {
    let reply = client.succeeds(Command::DeviceGetInfo, &words(&[16, 0, 0, 0]), &[])?;
    u32_at(&reply.payload, 8)
}

fn device(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    let reply = client.succeeds(Command::DeviceGetInfo, &words(&[16, 0, 0, 0]), &[])?.payload;
    equal("the length of the reply", reply.len(), 16)?;
    equal("argsz", u32_at(&reply, 0)?, 16)?;
    let (flags, regions) = (u32_at(&reply, 4)?, u32_at(&reply, 8)?);
    let is_pci = flags & DeviceFlags::PCI.bits() != 0;
    let least = u32::from(RegionIndex::Config) + 1;
    ensure(!is_pci || regions >= least, || {
        format!("num_regions is {regions}, expected at least {least}")
    })
}

/// Runs a check for each region; a server may claim any number.
fn each_region(
    server: &mut Server,
    mut check: impl FnMut(&mut Connection, u32) -> Verdict,
) -> Verdict {
    let mut client = server.attach()?;
    let regions = num_regions(&mut client)?.min(256);
    (0..regions).try_for_each(|index| {
        check(&mut client, index).map_err(|stop| match stop {
            Stop::Failed(reason) => Stop::Failed(format!("region {index}: {reason}")),
            skipped @ Stop::Skipped(_) => skipped,
        })
    })
}

fn region(client: &mut Connection, index: u32) -> Verdict<Region> {
    const ROOM: u32 = 65536;
    let request = message::region_info(ROOM, index);
    let reply = client.succeeds(Command::DeviceGetRegionInfo, &request, &[])?;
    let payload = &reply.payload;
    let (argsz, flags) = (u32_at(payload, 0)?, u32_at(payload, 4)?);
    ensure((32..ROOM).contains(&argsz), || format!("argsz is {argsz}"))?;
    equal("the length of the reply", payload.len(), argsz as usize)?;
    equal("the index in the reply", u32_at(payload, 8)?, index)?;
    let Some(flags) = RegionFlags::from_bits(flags) else {
        return fail(format!("flags are {flags:#x}"));
    };
    let (cap_offset, size, offset) =
        (u32_at(payload, 12)?, u64_at(payload, 16)?, u64_at(payload, 24)?);
    let is_absent = size == 0;
    ensure(!is_absent || !flags.contains(RegionFlags::MMAP), || "it is mappable and empty".into())?;
    Ok(Region { flags, cap_offset, size, offset, reply })
}

fn refuses(server: &mut Server, what: &str, request: &[u8]) -> Verdict {
    server.attach()?.refuses(what, Command::DeviceGetRegionInfo, request, &[]).map(drop)
}

fn truncated(client: &mut Connection, index: u32) -> Verdict {
    let needed = region(client, index)?.reply.payload.len();
    let request = message::region_info(32, index);
    let reply = client.succeeds(Command::DeviceGetRegionInfo, &request, &[])?.payload;
    equal("the length of the reply to an argsz of 32", reply.len(), 32)?;
    equal("its argsz", u32_at(&reply, 0)? as usize, needed)
}

/// Returns the capabilities: the id, and where it starts.
fn capabilities(region: &Region) -> Verdict<Vec<(u16, usize)>> {
    let mut found = Vec::new();
    if !region.flags.contains(RegionFlags::CAPS) {
        return Ok(found);
    }
    let payload = &region.reply.payload;
    let (mut at, mut least) = (region.cap_offset as usize, 32);
    while at != 0 {
        ensure(at >= least && at.is_multiple_of(4), || {
            format!("a capability at offset {at}, expected is a multiple of 4 from {least} on")
        })?;
        let head = u32_at(payload, at)?.to_le_bytes();
        found.push((u16::from_le_bytes([head[0], head[1]]), at));
        (least, at) = (at + 8, u32_at(payload, at + 4)? as usize);
    }
    ensure(!found.is_empty(), || "the flag CAPS is set, and there is no capability".into())?;
    Ok(found)
}

/// Returns the areas of a region that can be mapped.
fn areas(region: &Region) -> Verdict<Vec<Range<u64>>> {
    const SPARSE: u16 = 1;
    let payload = &region.reply.payload;
    let chain = capabilities(region)?;
    let Some((_, at)) = chain.into_iter().find(|(id, _)| *id == SPARSE) else {
        return Ok(Vec::from([Range { start: 0, end: region.size }]));
    };
    let count = u32_at(payload, at + 8)?;
    let mut areas = Vec::new();
    for index in 0..count as usize {
        let at = at + 16 + index * 16;
        let (start, size) = (u64_at(payload, at)?, u64_at(payload, at + 8)?);
        areas.push(start..start.saturating_add(size));
    }
    Ok(areas)
}

fn mappable(region: &Region) -> Verdict {
    let fds = &region.reply.fds;
    if !region.flags.contains(RegionFlags::MMAP) {
        return equal("the number of descriptors of a region that is not mappable", fds.len(), 0);
    }
    equal("the number of descriptors", fds.len(), 1)?;
    let file = fds[0].try_clone().map(File::from);
    let len = file.and_then(|file| file.metadata()).map(|data| data.len());
    let len = len.map_err(|error| Stop::Failed(format!("its descriptor is no file: {error}")))?;
    let mut end = 0;
    for Range { start, end: next } in areas(region)? {
        let is_aligned = start % 4096 == 0 && next % 4096 == 0;
        let is_inside = start >= end && next > start && next <= region.size;
        ensure(is_aligned && is_inside, || format!("its area is {start:#x}..{next:#x}"))?;
        let last = region.offset.saturating_add(next);
        ensure(last <= len, || format!("its area ends at {last:#x} of {len:#x} bytes of a file"))?;
        end = next;
    }
    Ok(())
}
