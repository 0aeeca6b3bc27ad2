//! Whatever a client sends: no panic, no hang, no leak, and the next client is served.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use proptest::collection::vec;
use proptest::prelude::*;
use vfio_user::EventFd;
use vfio_user_tests::journal::Call;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::zoo::{Kit, reg};
use vfio_user_tests::{files, wire};

/// Descriptors to send along.
struct Kinds {
    memory: File,
    eventfd: EventFd,
    pipe: OwnedFd,
    directory: File,
}

impl Kinds {
    fn new() -> (Self, std::io::PipeReader) {
        let (reader, pipe) = files::new_pipe();
        let kinds = Kinds {
            memory: files::memory(0x10_0000),
            eventfd: EventFd::new().unwrap(),
            pipe,
            directory: File::open("/").unwrap(),
        };
        (kinds, reader)
    }

    fn pick(&self, kind: u8) -> BorrowedFd<'_> {
        match kind % 6 {
            0 => self.pipe.as_fd(),
            1 => self.directory.as_fd(),
            2 | 3 => self.memory.as_fd(),
            _ => self.eventfd.as_fd(),
        }
    }
}

/// A part of a stream: bytes of one send, and what goes along.
type Part = (Vec<u8>, Vec<u8>);

fn fds() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => Just(vec![]), 3 => vec(any::<u8>(), 1..2), 1 => vec(any::<u8>(), 1..20)]
}

/// Numbers as they are interesting: small, aligned, at the edges.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..10,
        2 => (0u64..64).prop_map(|page| page << 12),
        1 => (0u32..64).prop_map(|bit| 1 << bit),
        1 => (0u32..64).prop_map(|bit| u64::MAX << bit),
        1 => any::<u64>(),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "any number will do")]
fn word() -> impl Strategy<Value = u32> {
    number().prop_map(|number| number as u32)
}

/// Accesses anywhere but to the registers by which a test holds or breaks its device.
fn access() -> impl Strategy<Value = Vec<u8>> {
    let harmless = prop_oneof![
        (0u64..0x140).prop_map(|offset| (0, offset)),
        (reg::DMA_SOURCE..reg::POST).prop_map(|offset| (0, offset & !3)),
        (1u32..10, 0u64..0x2100),
        (1u32..8, number()),
    ];
    (harmless, prop_oneof![6 => 0u32..5, 1 => word()])
        .prop_map(|((region, offset), count)| wire::access(region, offset, count))
}

fn payload() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let fields =
        |fields: Vec<u64>| fields.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<_>>();
    prop_oneof![
        (word(), number(), number(), number())
            .prop_map(|(flags, offset, iova, size)| (2, wire::dma_map(flags, offset, iova, size))),
        (word(), number(), number())
            .prop_map(|(flags, iova, size)| (3, wire::dma_unmap(flags, iova, size))),
        vec(word(), 4).prop_map(|words| (4, wire::words(&words))),
        (word(), word()).prop_map(|(argsz, index)| (5, wire::region_info(argsz, index))),
        vec(word(), 4).prop_map(|words| (7, wire::words(&words))),
        (0u32..0x40, 0u32..6, word(), word(), vec(any::<u8>(), 0..10)).prop_map(
            |(flags, index, start, count, bytes)| {
                (8, [wire::set_irqs(flags, index, start, count), bytes].concat())
            }
        ),
        access().prop_map(|access| (9, access)),
        (access(), vec(any::<u8>(), 0..5)).prop_map(|(mut access, data)| {
            access[12..].copy_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
            (10, [access, data].concat())
        }),
        Just((13, vec![])),
        (any::<u16>(), vec(number(), 0..8)).prop_map(move |(command, numbers)| {
            let command = if command == 10 { 11 } else { command };
            (command, fields(numbers))
        }),
        (0u16..20, vec(any::<u8>(), 0..16)),
    ]
}

/// A message with a header that fits, mostly.
fn message() -> impl Strategy<Value = Part> {
    let flags = prop_oneof![8 => Just(0u32), 4 => Just(0x10), 1 => Just(1), 1 => 0u32..0x40];
    let wrong_size = prop_oneof![40 => Just(None), 1 => word().prop_map(Some)];
    (any::<u16>(), payload(), flags, wrong_size, fds()).prop_map(
        |(id, (command, payload), flags, wrong_size, fds)| {
            let mut message = wire::message(id, command, flags, &payload);
            if let Some(size) = wrong_size {
                message[4..8].copy_from_slice(&size.to_le_bytes());
            }
            (message, fds)
        },
    )
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![20 => message(), 1 => (vec(any::<u8>(), 1..100), fds())]
}

/// Sends everything, reads whatever comes, to the end.
fn play(running: &Running, kinds: &Kinds, negotiate: bool, parts: &[Part]) {
    let mut client = RawClient::connect(running.path());
    if negotiate {
        client.negotiate();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| client.drain_to_end());
        for (bytes, fds) in parts {
            let fds: Vec<_> = fds.iter().map(|kind| kinds.pick(*kind)).collect();
            if client.try_send(bytes, &fds).is_err() {
                break;
            }
        }
        let _ = client.stream().shutdown(std::net::Shutdown::Write);
    });
}

/// A new client is served by the same device, and nothing is left of the one before.
fn check(running: &Running, kinds: &Kinds, reader: &std::io::PipeReader, kit: &Kit) {
    let mut client = running.client();
    client.sync();
    client.write(0, reg::SCRATCH, &[1, 2, 3, 4]);
    assert_eq!(client.read(0, reg::SCRATCH, 4), [1, 2, 3, 4]);
    assert!(!kit.journal.take().contains(&Call::Started), "the device has panicked");
    assert_eq!(files::count_mappings(&kinds.memory), 0);
    assert_eq!(files::count_eventfd(&kinds.eventfd), 1);
    files::assert_open(reader);
}

fn play_all(cases: u32, negotiate: bool, parts: impl Strategy<Value = Vec<Part>>) {
    let (running, kit) = serve::zoo_at_path();
    let (kinds, reader) = Kinds::new();
    running.client().sync();
    kit.journal.take();
    let config = ProptestConfig { cases, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let played = runner.run(&parts, |parts| {
        play(&running, &kinds, negotiate, &parts);
        check(&running, &kinds, &reader, &kit);
        Ok(())
    });
    played.unwrap();
    running.client().sync();
    let Kinds { pipe, .. } = kinds;
    drop(pipe);
    let mut reader = reader;
    files::assert_closed(&mut reader);
}

#[test]
fn random_bytes_do_no_harm() {
    play_all(300, false, vec((vec(any::<u8>(), 1..200), fds()), 1..10));
}

#[test]
fn random_bytes_after_a_version_do_no_harm() {
    play_all(300, true, vec((vec(any::<u8>(), 1..200), fds()), 1..10));
}

#[test]
fn random_messages_do_no_harm() {
    play_all(600, true, vec(part(), 1..60));
}

#[test]
fn random_messages_without_a_version_do_no_harm() {
    play_all(100, false, vec(message(), 1..5));
}
