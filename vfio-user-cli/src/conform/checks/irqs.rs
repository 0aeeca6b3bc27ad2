//! Interrupts.

use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd as Counter};
use vfio_user::EventFd;
use vfio_user::protocol::{Command, IrqIndex};

use super::super::check::{Check, Stop, Verdict, ensure, equal, fail, skip};
use super::super::connection::Connection;
use super::super::message::{set_irqs, u32_at, words};
use super::super::server::Server;

const INFO: &str = "VFIO_USER_DEVICE_GET_IRQ_INFO";
const SET: &str = "VFIO_USER_DEVICE_SET_IRQS";

const NONE: u32 = 0x01;
const BOOL: u32 = 0x02;
const EVENTFD: u32 = 0x04;
const MASK: u32 = 0x08;
const TRIGGER: u32 = 0x20;

pub(super) const CHECKS: &[Check] = &[
    Check::required(
        "irq-info",
        INFO,
        "every index up to num_irqs is described, with as many vectors as PCI allows",
        info,
    ),
    Check::required(
        "irq-info-wrong",
        INFO,
        "an index from num_irqs on, and an argsz below 16, are refused",
        |server| {
            let mut client = server.attach()?;
            let irqs = num_irqs(&mut client)?;
            [[16, irqs], [16, u32::MAX], [15, 0]].iter().try_for_each(|[argsz, index]| {
                let request = words(&[*argsz, 0, *index, 0]);
                let what = format!("index {index} with argsz {argsz}");
                client.refuses(&what, Command::DeviceGetIrqInfo, &request, &[]).map(drop)
            })
        },
    ),
    Check::required(
        "set-irqs-trigger",
        SET,
        "an interrupt that is triggered arrives at its eventfd, until it is disabled",
        |server| trigger(server, |index| set_irqs(NONE | TRIGGER, index, 0, 1)),
    ),
    Check::required(
        "set-irqs-trigger-bool",
        SET,
        "an interrupt is triggered by a byte that is 1",
        |server| {
            trigger(server, |index| [words(&[21, BOOL | TRIGGER, index, 0, 1]), vec![1]].concat())
        },
    ),
    Check::required(
        "set-irqs-deassign",
        SET,
        "an eventfd is removed by a message without descriptors",
        deassign,
    ),
    Check::required(
        "set-irqs-disable",
        SET,
        "an index is disabled by a count of 0, also if it is disabled already",
        |server| {
            let (mut client, irq) = attach(server)?;
            let disable = set_irqs(NONE | TRIGGER, irq.index, 0, 0);
            client.succeeds(Command::DeviceSetIrqs, &disable, &[])?;
            client.succeeds(Command::DeviceSetIrqs, &disable, &[]).map(drop)
        },
    ),
    Check::required(
        "set-irqs-range",
        SET,
        "vectors beyond those of the index are refused, also if their sum overflows",
        |server| {
            let (mut client, Irq { index, count }) = attach(server)?;
            let ranges = [(count, 1), (0, count + 1), (1, u32::MAX), (u32::MAX, 1), (u32::MAX, 2)];
            ranges.iter().try_for_each(|(start, count)| {
                let what = format!("{count} vectors from {start}");
                refuses(&mut client, &what, &set_irqs(NONE | TRIGGER, index, *start, *count), &[])
            })
        },
    ),
    Check::required("set-irqs-unknown", SET, "an index from num_irqs on is refused", |server| {
        let mut client = server.attach()?;
        let irqs = num_irqs(&mut client)?;
        [irqs, u32::MAX].iter().try_for_each(|index| {
            let request = set_irqs(NONE | TRIGGER, *index, 0, 0);
            refuses(&mut client, &format!("index {index}"), &request, &[])
        })
    }),
    Check::required(
        "set-irqs-flags",
        SET,
        "flags need exactly one kind of data and one action, and no other bit",
        |server| {
            let (mut client, irq) = attach(server)?;
            let wrong = [0, NONE, TRIGGER, NONE | BOOL | TRIGGER, NONE | MASK | TRIGGER, 0x61];
            wrong.iter().try_for_each(|flags| {
                let request = set_irqs(*flags, irq.index, 0, 1);
                refuses(&mut client, &format!("flags {flags:#x}"), &request, &[])
            })
        },
    ),
    Check::required(
        "set-irqs-short-data",
        SET,
        "fewer bytes than vectors, and an argsz below 20, are refused",
        |server| {
            let (mut client, irq) = attach(server)?;
            let short = set_irqs(BOOL | TRIGGER, irq.index, 0, 1);
            refuses(&mut client, "no byte for a vector", &short, &[])?;
            let small = words(&[19, NONE | TRIGGER, irq.index, 0, 1]);
            refuses(&mut client, "an argsz of 19", &small, &[])
        },
    ),
    Check::required(
        "set-irqs-descriptors",
        SET,
        "as many descriptors as vectors come with eventfds, or none",
        |server| {
            let (mut client, irq) = attach(server)?;
            let eventfd = eventfd()?;
            let two = [eventfd.as_fd(); 2];
            let request = set_irqs(EVENTFD | TRIGGER, irq.index, 0, 1);
            refuses(&mut client, "two eventfds for one vector", &request, &two)?;
            if irq.count > 1 {
                let request = set_irqs(EVENTFD | TRIGGER, irq.index, 0, 2);
                refuses(&mut client, "one eventfd for two vectors", &request, &two[..1])?;
            }
            Ok(())
        },
    ),
    Check::robust(
        "set-irqs-full-eventfd",
        SET,
        "an eventfd whose counter is full does not block the server",
        full,
    ),
];

/// An index with vectors.
#[derive(Clone, Copy)]
struct Irq {
    index: u32,
    count: u32,
}

fn num_irqs(client: &mut Connection) -> Verdict<u32> {
    let reply = client.succeeds(Command::DeviceGetInfo, &words(&[16, 0, 0, 0]), &[])?;
    u32_at(&reply.payload, 12)
}

fn count(client: &mut Connection, index: u32) -> Verdict<u32> {
    let reply = client.succeeds(Command::DeviceGetIrqInfo, &words(&[16, 0, index, 0]), &[])?;
    equal("argsz", u32_at(&reply.payload, 0)?, 16)?;
    equal("the index in the reply", u32_at(&reply.payload, 8)?, index)?;
    u32_at(&reply.payload, 12)
}

fn info(server: &mut Server) -> Verdict {
    let mut client = server.attach()?;
    for index in 0..num_irqs(&mut client)?.min(64) {
        let count = count(&mut client, index)?;
        let most = match IrqIndex::try_from(index) {
            Ok(IrqIndex::Msi) => 32,
            Ok(IrqIndex::Msix) => 2048,
            Ok(_) => 1,
            Err(_) => u32::MAX,
        };
        ensure(count <= most, || format!("index {index} has {count} vectors, most are {most}"))?;
    }
    Ok(())
}

/// Attaches, and returns an index that has vectors.
fn attach(server: &mut Server) -> Verdict<(Connection, Irq)> {
    let mut client = server.attach()?;
    let irqs = num_irqs(&mut client)?;
    for index in [IrqIndex::Msix, IrqIndex::Msi, IrqIndex::Intx, IrqIndex::Err].map(u32::from) {
        if index < irqs && count(&mut client, index)? > 0 {
            let count = count(&mut client, index)?;
            return Ok((client, Irq { index, count }));
        }
    }
    skip("the device has no interrupts")
}

fn refuses(client: &mut Connection, what: &str, request: &[u8], fds: &[BorrowedFd<'_>]) -> Verdict {
    client.refuses(what, Command::DeviceSetIrqs, request, fds).map(drop)
}

fn eventfd() -> Verdict<EventFd> {
    EventFd::new().map_err(|error| Stop::Skipped(error.to_string()))
}

/// Assigns an eventfd to vector 0.
fn assign(client: &mut Connection, irq: Irq, eventfd: BorrowedFd<'_>) -> Verdict {
    let request = set_irqs(EVENTFD | TRIGGER, irq.index, 0, 1);
    client.succeeds(Command::DeviceSetIrqs, &request, &[eventfd]).map(drop)
}

fn trigger(server: &mut Server, request: impl Fn(u32) -> Vec<u8>) -> Verdict {
    let (mut client, irq) = attach(server)?;
    let eventfd = eventfd()?;
    assign(&mut client, irq, eventfd.as_fd())?;
    client.succeeds(Command::DeviceSetIrqs, &request(irq.index), &[])?;
    match eventfd.wait(server.patience) {
        Ok(Some(_)) => {}
        _ => return fail(format!("no interrupt arrives within {:?}", server.patience)),
    }
    let disable = set_irqs(NONE | TRIGGER, irq.index, 0, 0);
    client.succeeds(Command::DeviceSetIrqs, &disable, &[])?;
    // A server may refuse to trigger what is disabled.
    client.call(Command::DeviceSetIrqs, &request(irq.index), &[])?;
    ensure(eventfd.take().is_none(), || "an interrupt arrives after it was disabled".into())
}

fn deassign(server: &mut Server) -> Verdict {
    let (mut client, irq) = attach(server)?;
    let eventfd = eventfd()?;
    assign(&mut client, irq, eventfd.as_fd())?;
    let remove = set_irqs(EVENTFD | TRIGGER, irq.index, 0, 1);
    client.succeeds(Command::DeviceSetIrqs, &remove, &[])?;
    // A server may refuse to trigger what is disabled.
    client.call(Command::DeviceSetIrqs, &set_irqs(NONE | TRIGGER, irq.index, 0, 1), &[])?;
    ensure(eventfd.take().is_none(), || "an interrupt arrives at the removed eventfd".into())
}

/// Triggers an interrupt whose eventfd blocks a writer.
fn full(server: &mut Server) -> Verdict {
    let io = |error: nix::Error| Stop::Skipped(error.to_string());
    let (mut client, irq) = attach(server)?;
    let counter = Counter::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).map_err(io)?;
    counter.write(u64::MAX - 1).map_err(io)?;
    assign(&mut client, irq, counter.as_fd())?;
    for _ in 0..2 {
        client.call(Command::DeviceSetIrqs, &set_irqs(NONE | TRIGGER, irq.index, 0, 1), &[])?;
    }
    client.alive()
}
