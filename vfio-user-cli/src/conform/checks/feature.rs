//! Device features, and the log of dirty pages.

use vfio_user::protocol::{Command, Feature, FeatureFlags};

use super::super::check::{Check, Verdict, equal, skip};
use super::super::connection::{Connection, Reply};
use super::super::message::{longs, u32_at, words};
use super::super::server::Server;
use super::dma::{IOVA, SIZE, map_memory, memory};

const SECTION: &str = "VFIO_USER_DEVICE_FEATURE";
const GET: FeatureFlags = FeatureFlags::GET;
const SET: FeatureFlags = FeatureFlags::SET;
const PROBE: FeatureFlags = FeatureFlags::PROBE;

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "feature-unknown",
        SECTION,
        "an unknown feature is refused, also by PROBE",
        |server| {
            let mut client = server.attach()?;
            [GET, SET, PROBE | GET].iter().try_for_each(|operation| {
                let request = words(&[64, operation.bits() | 0xfff0]);
                let what = format!("{operation:?} of feature 0xfff0");
                client.refuses(&what, Command::DeviceFeature, &request, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "feature-operation",
        SECTION,
        "neither GET nor SET nor PROBE, and both GET and SET, are refused",
        |server| {
            let mut client = server.attach()?;
            [FeatureFlags::empty(), GET | SET].iter().try_for_each(|operation| {
                let request = words(&[64, operation.with(Feature::Migration), 0, 0]);
                let what = format!("{operation:?}");
                client.refuses(&what, Command::DeviceFeature, &request, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "feature-argsz",
        SECTION,
        "an argsz without room for the reply is refused",
        |server| {
            let mut client = server.attach()?;
            [0, 8, 15].iter().try_for_each(|argsz| {
                let request = words(&[*argsz, GET.with(Feature::Migration)]);
                let what = format!("an argsz of {argsz}");
                client.refuses(&what, Command::DeviceFeature, &request, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "feature-probe",
        SECTION,
        "PROBE of what the device has succeeds, with the request as reply",
        |server| {
            let mut client = server.attach()?;
            if get(&mut client, Feature::Migration, &[])?.errno().is_some() {
                return skip("the device does not migrate");
            }
            let request = words(&[8, (PROBE | GET).with(Feature::Migration)]);
            let reply = client.succeeds(Command::DeviceFeature, &request, &[])?;
            equal("the reply", reply.payload, request)
        },
    ),
    Check::required(
        "dirty-log",
        SECTION,
        "a log of dirty pages starts, reports one bit a page, and stops",
        |server| {
            let mut client = logging(server)?;
            let file = memory()?;
            map_memory(&mut client, &file)?;
            let range = longs(&[IOVA, SIZE, 4096]);
            let report = get(&mut client, Feature::DmaLoggingReport, &range)?.ok()?.payload;
            // Four pages in a word.
            equal("the argsz of the report", u32_at(&report, 0)?, 8 + 24 + 8)?;
            equal("the length of the report", report.len(), 8 + 24 + 8)?;
            set(&mut client, Feature::DmaLoggingStop, &[])?.ok().map(drop)
        },
    ),
    Check::robust(
        "dirty-log-wrong",
        SECTION,
        "page sizes that are no power of two, and reports larger than a message, are refused",
        |server| {
            let mut client = logging(server)?;
            let wrong = [(4096, 3), (4096, 0), (u64::MAX, 1), (u64::MAX, 4096)];
            wrong.iter().try_for_each(|(length, page)| {
                let what = format!("a report of {length} bytes in pages of {page}");
                let flags = GET.with(Feature::DmaLoggingReport);
                let request = [words(&[u32::MAX, flags]), longs(&[0, *length, *page])].concat();
                client.refuses(&what, Command::DeviceFeature, &request, &[]).map(drop)
            })
        },
    ),
    Check::required("dirty-log-inactive", SECTION, "a report without a log is refused", |server| {
        let mut client = logging(server)?;
        set(&mut client, Feature::DmaLoggingStop, &[])?;
        let flags = GET.with(Feature::DmaLoggingReport);
        let request = [words(&[4096, flags]), longs(&[0, 4096, 4096])].concat();
        client.refuses("the report", Command::DeviceFeature, &request, &[]).map(drop)
    }),
];

/// Gets a feature, which the device may not have.
pub(super) fn get(client: &mut Connection, feature: Feature, data: &[u8]) -> Verdict<Reply> {
    let request = [&words(&[4096, GET.with(feature)]), data].concat();
    client.call(Command::DeviceFeature, &request, &[])
}

/// Sets a feature. Returns the reply, which may be an error.
pub(super) fn set(client: &mut Connection, feature: Feature, data: &[u8]) -> Verdict<Reply> {
    let argsz = u32::try_from(8 + data.len()).unwrap_or(u32::MAX);
    let request = [&words(&[argsz, SET.with(feature)]), data].concat();
    client.call(Command::DeviceFeature, &request, &[])
}

/// Attaches, and starts a log of everything.
fn logging(server: &mut Server) -> Verdict<Connection> {
    let mut client = server.attach()?;
    let start = [longs(&[4096]), words(&[0, 0])].concat();
    let reply = set(&mut client, Feature::DmaLoggingStart, &start)?;
    if reply.errno().is_some() { skip("the device logs no dirty pages") } else { Ok(client) }
}
