//! What a server may use of our client: each limit, at its end.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use vfio_user::client::{AttachOptions, Client, ClientLimits, MappedBars};
use vfio_user::driver::{Bars as _, Width};
use vfio_user::protocol::{self, DmaMapFlags, RegionFlags, RegionIndex};
use vfio_user::{Error, ReplyError};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::scripted::{AGREED, answer, reply, server, welcome};
use vfio_user_tests::wire::{self, command, errno, flag};
use vfio_user_tests::{PATIENCE, files};

use RegionIndex::Bar0;

fn limits(change: impl FnOnce(&mut ClientLimits)) -> AttachOptions {
    let mut limits = ClientLimits::default();
    change(&mut limits);
    AttachOptions { timeout: PATIENCE, limits, ..AttachOptions::default() }
}

/// Attaches with limits to a server that then continues with `serve`.
fn attached(
    change: impl FnOnce(&mut ClientLimits),
    serve: impl FnOnce(RawClient) + Send + 'static,
) -> (Client, JoinHandle<()>) {
    let (stream, thread) = server(move |server| {
        welcome(&server);
        serve(server);
    });
    (Client::from_stream(stream, limits(change)).unwrap(), thread)
}

/// Answers a read with zeros, as many as it asks for.
fn answer_read(server: &RawClient, request: &Answer) {
    let data = vec![0; wire::u32_at(&request.payload, 12) as usize];
    reply(server, request, &[&request.payload[..16], &data].concat());
}

#[test]
fn what_the_server_is_asked_not_to_exceed_is_announced() {
    let (stream, thread) = server(|server| {
        let proposed = answer(&server, &wire::version(0, AGREED));
        answer(&server, &wire::words(&[16, 3, 9, 5]));
        let json = String::from_utf8(proposed).unwrap();
        assert!(json.contains(r#""max_msg_fds":3"#), "{json}");
        assert!(json.contains(r#""max_data_xfer_size":8192"#), "{json}");
    });
    let options = limits(|limits| (limits.descriptors, limits.message_data) = (3, 0x2000));
    Client::from_stream(stream, options).unwrap();
    thread.join().unwrap();
}

#[test]
fn accesses_of_more_data_are_divided() {
    let (client, thread) = attached(
        |limits| limits.message_data = 0x1000,
        |server| {
            for command in [command::REGION_READ, command::REGION_WRITE] {
                for count in [0x1000, 0x1000, 0x710] {
                    let request = server.receive();
                    assert_eq!(request.command, command);
                    assert_eq!(wire::u32_at(&request.payload, 12), count);
                    match command {
                        command::REGION_READ => answer_read(&server, &request),
                        _ => reply(&server, &request, &request.payload[..16]),
                    }
                }
            }
        },
    );
    let mut data = [1; 0x2710];
    client.region(Bar0).read_bytes(0, &mut data).unwrap();
    assert_eq!(data, [0; 0x2710]);
    client.region(Bar0).write_bytes(0, &data).unwrap();
    assert!(matches!(client.region(Bar0).start_read_bytes(0, 0x1001), Err(Error::Argument(_))));
    thread.join().unwrap();
}

#[test]
fn a_request_of_the_server_for_more_data_is_refused() {
    let (client, thread) = attached(
        |limits| limits.message_data = 0x1000,
        |mut server| {
            answer(&server, &[]);
            let mut read = |count| {
                let access = wire::dma_access(0, count, &[]);
                server.request(command::DMA_READ, &access, &[])
            };
            read(0x1001).fails_with(errno::E2BIG);
            assert_eq!(read(0x1000).ok().len(), 16 + 0x1000);
        },
    );
    let memory = Arc::new(Mutex::new(vec![0; 0x2000]));
    client.dma_map_memory(0, 0x2000, memory, DmaMapFlags::READ).unwrap();
    thread.join().unwrap();
}

#[test]
fn an_answer_that_is_longer_than_any_valid_one_is_malformed() {
    let (client, thread) = attached(
        |limits| limits.message_data = 0x1000,
        |server| {
            answer(&server, &vec![0; 0x1_0000]);
            answer(&server, &vec![0; 0x2_0000]);
            answer(&server, &[]);
        },
    );
    client.reset().unwrap();
    let malformed = client.reset();
    let Err(Error::Malformed { problem: ReplyError::TooLarge(_), .. }) = malformed else {
        panic!("{malformed:?}");
    };
    client.reset().unwrap();
    thread.join().unwrap();
}

/// 1 MiB, or 64 KiB where accesses have less.
#[test]
fn a_bitmap_may_be_as_long_as_the_longest_data() {
    for (message_data, longest) in [(1 << 20, 1 << 20), (0x1000, 0x1_0000)] {
        let (client, thread) = attached(
            |limits| limits.message_data = message_data,
            move |server| {
                let mut bitmap = vec![0; longest];
                bitmap[longest - 1] = 0x80;
                let report = [vec![0; 8 + 24], bitmap.clone()].concat();
                assert_eq!(wire::u32_at(&answer(&server, &report), 0) as usize, report.len());
                let unmap = [vec![0; 24 + 16], bitmap].concat();
                assert_eq!(wire::u32_at(&answer(&server, &unmap), 0) as usize, unmap.len());
            },
        );
        let pages = 8 * longest as u64;
        for dirty in [Client::dirty_pages, Client::dma_unmap_dirty] {
            let dirty = dirty(&client, 0, pages << 12, 1 << 12).unwrap();
            assert_eq!(dirty.iter().collect::<Vec<_>>(), [(pages - 1) << 12]);
        }
        thread.join().unwrap();
        for dirty in [Client::dirty_pages, Client::dma_unmap_dirty] {
            assert!(matches!(
                dirty(&client, 0, (pages + 1) << 12, 1 << 12),
                Err(Error::Argument(_))
            ));
        }
    }
}

#[test]
fn an_answer_with_more_descriptors_is_malformed() {
    let file = files::memory(0x1000);
    let sent = file.try_clone().unwrap();
    let (client, thread) = attached(
        |limits| limits.descriptors = 2,
        move |server| {
            for count in [2, 3, 0] {
                let request = server.receive();
                let answer = wire::message(request.id, request.command, flag::REPLY, &[]);
                server.send(&answer, &vec![sent.as_fd(); count]);
            }
        },
    );
    client.reset().unwrap();
    let malformed = client.reset();
    let Err(Error::Malformed { problem: ReplyError::Descriptors { got: 3, most: 2 }, .. }) =
        malformed
    else {
        panic!("{malformed:?}");
    };
    client.reset().unwrap();
    thread.join().unwrap();
    assert_eq!(files::count_descriptors(&file), 1, "they are closed");
}

#[test]
fn a_further_request_waits_for_an_earlier_answer() {
    let (client, thread) = attached(
        |limits| limits.pending = 2,
        |server| {
            let requests = [server.receive(), server.receive()];
            assert!(!server.has_message(Duration::from_millis(100)));
            for request in &requests {
                answer_read(&server, request);
            }
            answer_read(&server, &server.receive());
        },
    );
    let bar = client.region(Bar0);
    let reads = [0, 4, 8].map(|offset| bar.start_read::<u32>(offset).unwrap());
    for read in reads {
        assert_eq!(read.wait().unwrap(), 0);
    }
    thread.join().unwrap();
}

/// A description of a region of 0x8000 bytes with three parts of a page each.
fn three_parts(index: u32) -> Vec<u8> {
    let flags = RegionFlags::READ | RegionFlags::WRITE | RegionFlags::MMAP | RegionFlags::CAPS;
    let head = wire::words(&[96, flags.bits(), index, 32]);
    let sparse = wire::words(&[1 | 1 << 16, 0, 3, 0]);
    let areas = [0, 0x2000, 0x4000].map(|offset| wire::longs(&[offset, 0x1000])).concat();
    [head, wire::longs(&[0x8000, 0]), sparse, areas].concat()
}

/// Describes regions as [`three_parts`] does, and answers reads with zeros.
fn describe(server: &RawClient) {
    let file: File = files::memory(0x8000);
    while let Some(request) = server.try_receive() {
        if request.command == command::GET_REGION_INFO {
            let description = three_parts(wire::u32_at(&request.payload, 8));
            let answer = wire::message(request.id, request.command, flag::REPLY, &description);
            let fds: [BorrowedFd<'_>; 1] = [file.as_fd()];
            server.send(&answer, &fds);
        } else {
            answer_read(server, &request);
        }
    }
}

#[test]
fn no_more_is_mapped_and_the_rest_is_accessed_by_messages() {
    for (maps, mapped_bytes) in [(4, u64::MAX), (usize::MAX, 0x4fff)] {
        let (client, thread) = attached(
            |limits| (limits.maps, limits.mapped_bytes) = (maps, mapped_bytes),
            |server| describe(&server),
        );
        let details = client.region_details(Bar0).unwrap();
        let first = details.map().unwrap();
        // A map that fails takes nothing.
        for _ in 0..3 {
            let refused = details.map();
            let Err(error @ Error::MapLimit { .. }) = refused else { panic!("{refused:?}") };
            let text = error.to_string();
            assert!(text.contains(&maps.to_string()), "{text}");
            assert!(text.contains("4096"), "{text}");
            assert!(matches!(details.map_any_file(), Err(Error::MapLimit { .. })));
        }
        let shared = first.clone();
        drop(first);
        assert!(details.map().is_err(), "another handle keeps it");
        drop(shared);
        // The first BAR is mapped, and the others are not.
        let mut bars = MappedBars::new(&client).unwrap();
        for bar in 0..6 {
            bars.write(bar, 0x2000, Width::U32, 7).unwrap();
            let kept = bars.read(bar, 0x2000, Width::U32).unwrap();
            assert_eq!(kept, if bar == 0 { 7 } else { 0 }, "BAR {bar}");
        }
        drop(bars);
        assert_eq!(details.map().unwrap().areas().count(), 3);
        drop(client);
        thread.join().unwrap();
    }
}

/// The time to answer a request is longer than the server waits for the client to leave.
#[test]
fn a_server_that_does_not_negotiate_in_time_is_left() {
    use protocol::Command::{DeviceGetInfo, Version};
    for (answers, command) in [(0, Version), (1, DeviceGetInfo)] {
        let (stream, thread) = server(move |server| {
            for _ in 0..answers {
                answer(&server, &wire::version(0, AGREED));
            }
            assert!(server.try_receive().is_some(), "a request without an answer");
            assert!(server.try_receive().is_none(), "the client has left");
        });
        let mut options = limits(|limits| limits.negotiation = Duration::from_millis(50));
        options.timeout = PATIENCE * 10;
        let error = Client::from_stream(stream, options).unwrap_err();
        assert!(matches!(error, Error::Timeout(late) if late == command), "{error:?}");
        thread.join().unwrap();
    }
}
