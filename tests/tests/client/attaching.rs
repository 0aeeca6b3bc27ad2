//! Our own client, and what servers may do to it.

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use vfio_user::client::{self, Client};
use vfio_user::protocol::{Errno, IrqIndex, RegionFlags, RegionIndex};
use vfio_user::{Error, EventFd};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::scripted::{AGREED, answer, attach, attached, options, server, welcome};
use vfio_user_tests::wire::{self, command, flag};
use vfio_user_tests::{PATIENCE, files};

fn is_malformed<T: std::fmt::Debug>(result: &Result<T, Error>) {
    assert!(matches!(result, Err(Error::Malformed { .. })), "{result:?}");
}

#[test]
fn versions_that_make_no_sense_are_refused() {
    let zero = r#"{"capabilities":{"max_data_xfer_size":0}}"#;
    let mut later = wire::version(0, AGREED);
    later[0] = 1;
    for version in [later, wire::version(1, AGREED), wire::version(0, zero)] {
        let (stream, thread) = server(move |server| drop(answer(&server, &version)));
        is_malformed(&attach(stream));
        thread.join().unwrap();
    }
    for payload in [vec![], wire::version(0, "["), b"\0\0\0\0{}".to_vec()] {
        let (stream, thread) = server(move |server| drop(answer(&server, &payload)));
        assert!(matches!(attach(stream), Err(Error::Version(_))));
        thread.join().unwrap();
    }
}

#[test]
fn an_error_reply_keeps_its_number() {
    let (client, thread) = attached(|server| {
        for error in [22, 16, 0, 0x1_0000] {
            let request = server.receive();
            let mut reply =
                wire::header(request.id, request.command, 16, flag::REPLY | flag::ERROR);
            reply[12..].copy_from_slice(&u32::to_le_bytes(error));
            server.send(&reply, &[]);
        }
        answer(&server, &[]);
    });
    for expected in [Errno::EINVAL, Errno::EBUSY, Errno::EINVAL, Errno::EINVAL] {
        let refused = client.reset();
        assert!(matches!(refused, Err(Error::Refused { errno, .. }) if errno == expected));
    }
    client.reset().unwrap();
    thread.join().unwrap();
}

#[test]
fn an_answer_that_comes_too_late_is_dropped() {
    let (stream, thread) = server(|server| {
        welcome(&server);
        let late = server.receive();
        let request = server.receive();
        // Twice: the first one frees the id, the second one answers nothing.
        for _ in 0..2 {
            server.send(&wire::message(late.id, late.command, flag::REPLY, &[7; 5000]), &[]);
        }
        let data = [&request.payload[..], &[1, 2, 3, 4]].concat();
        server.send(&wire::message(request.id, request.command, flag::REPLY, &data), &[]);
    });
    let client = Client::from_stream(stream, options(Duration::from_millis(200))).unwrap();
    assert!(matches!(client.reset(), Err(Error::Timeout(_))));
    assert_eq!(client.region(RegionIndex::Bar0).read::<u32>(0).unwrap(), 0x0403_0201);
    thread.join().unwrap();
}

#[test]
fn a_server_that_leaves_is_an_error_now_and_later() {
    let (client, thread) = attached(|server| drop(server.receive()));
    for _ in 0..2 {
        assert!(matches!(client.reset(), Err(Error::Disconnected)));
    }
    thread.join().unwrap();
}

#[test]
fn stray_messages_are_ignored_and_requests_of_the_server_refused() {
    let (client, thread) = attached(|server| {
        let request = server.receive();
        let stray = wire::message(request.id + 7, request.command, flag::REPLY, b"stray");
        let posted = wire::message(1, 12, flag::NO_REPLY, &[0; 20]);
        let asked = wire::message(2, 99, 0, &[0; 16]);
        let reply = wire::message(request.id, request.command, flag::REPLY, &[]);
        server.send(&[stray, posted, asked, reply].concat(), &[]);
        server.answer_to(2, 99).fails_with(38);
    });
    client.reset().unwrap();
    thread.join().unwrap();
}

#[test]
fn answers_of_the_wrong_kind_or_size_are_malformed() {
    let (client, thread) = attached(|server| {
        let request = server.receive();
        server.send(&wire::message(request.id, request.command + 1, flag::REPLY, &[]), &[]);
    });
    is_malformed(&client.reset());
    thread.join().unwrap();
    for short in [&[][..], &[0; 15], &[0; 19], &[0; 21]] {
        let (client, thread) = attached(move |server| drop(answer(&server, short)));
        is_malformed(&client.region(RegionIndex::Bar0).read::<u32>(0));
        thread.join().unwrap();
    }
    let (client, thread) = attached(|server| {
        let request = server.receive();
        server.send(&wire::header(request.id, request.command, 8 << 20, flag::REPLY), &[]);
    });
    is_malformed(&client.reset());
    thread.join().unwrap();
}

/// A region's description: needed room, flags, offset of capabilities, size.
fn region(argsz: u32, flags: RegionFlags, capabilities: u32, size: u64) -> Vec<u8> {
    let fixed = wire::words(&[argsz, flags.bits(), 0, capabilities]);
    [fixed, size.to_le_bytes().to_vec(), vec![0; 8]].concat()
}

/// One sparse area.
fn area(offset: u64, size: u64) -> Vec<u8> {
    let header = wire::words(&[1 | 1 << 16, 0, 1, 0]);
    [header, offset.to_le_bytes().to_vec(), size.to_le_bytes().to_vec()].concat()
}

#[test]
fn a_region_is_asked_for_again_with_the_room_that_it_needs() {
    let memory = files::memory(0x4000);
    let file = memory.try_clone().unwrap();
    let (client, thread) = attached(move |server| {
        let mappable = RegionFlags::READ | RegionFlags::MMAP;
        let request = answer(&server, &region(64, mappable, 0, 0x4000));
        assert_eq!(wire::u32_at(&request, 0), 32);
        let request = server.receive();
        assert_eq!(wire::u32_at(&request.payload, 0), 64);
        let full = region(64, mappable | RegionFlags::CAPS, 32, 0x4000);
        let payload = [full, area(0x1000, 0x1000)].concat();
        let reply = wire::message(request.id, request.command, flag::REPLY, &payload);
        server.send(&reply, &[file.as_fd()]);
    });
    let details = client.region_details(RegionIndex::Bar0).unwrap();
    assert_eq!((details.size, details.areas.len()), (0x4000, 1));
    assert_eq!(details.areas[0].offset.get(), 0x1000);
    assert!(details.files.len() == 1);
    thread.join().unwrap();
}

#[test]
fn descriptions_of_regions_that_make_no_sense_are_malformed() {
    let caps = RegionFlags::READ | RegionFlags::CAPS;
    let whole = |offset, size| [region(64, caps, 32, 0x1000), area(offset, size)].concat();
    let again = region(64, caps, 0, 0x1000);
    for answers in [
        vec![region(u32::MAX, caps, 0, 0x1000)],
        vec![again.clone(), region(96, caps, 0, 0x1000)],
        vec![again.clone(), region(64, caps, 8, 0x1000)],
        vec![again.clone(), whole(0x1000, 1)],
        vec![again.clone(), whole(u64::MAX, 2)],
        vec![again, whole(0, 0x1000)[..60].to_vec()],
    ] {
        let (client, thread) = attached(move |server| {
            for payload in answers {
                answer(&server, &payload);
            }
        });
        is_malformed(&client.region_details(RegionIndex::Bar0));
        thread.join().unwrap();
    }
}

#[test]
fn eventfds_are_sent_in_runs_and_no_more_than_the_server_takes() {
    let (client, thread) = attached(|server| {
        let mut seen = Vec::new();
        for _ in 0..4 {
            let request = server.receive();
            let word = |at| wire::u32_at(&request.payload, at);
            seen.push((word(12), word(16), request.fds.len()));
            let reply = wire::message(request.id, request.command, flag::REPLY, &[]);
            server.send(&reply, &[]);
        }
        assert_eq!(seen, [(4, 2, 2), (6, 1, 1), (7, 3, 0), (10, 1, 1)]);
    });
    let eventfd = EventFd::new().unwrap();
    let some = Some(&eventfd);
    let eventfds = [some, some, some, None, None, None, some];
    client.set_irqs(IrqIndex::Msix, 4, &eventfds).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_client_waits_for_a_server_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    assert!(matches!(Client::attach(&path), Err(Error::Socket { .. })));
    let late = path.clone();
    let thread = thread::spawn(move || {
        let listener = UnixListener::bind(late).unwrap();
        welcome(&RawClient::new(listener.accept().unwrap().0));
    });
    let options = client::AttachOptions { patience: PATIENCE, ..client::AttachOptions::default() };
    let client = Client::attach_with(&path, options).unwrap();
    assert_eq!((client.details().regions, client.details().irqs), (9, 5));
    assert_eq!(client.server_capabilities().max_msg_fds, 2);
    thread.join().unwrap();
}

#[test]
fn a_large_write_is_cut_into_pieces_that_arrive_whole() {
    let data: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let expected = data.clone();
    let (client, thread) = attached(move |server| {
        let mut written = Vec::new();
        while written.len() < expected.len() {
            let request = server.receive();
            assert_eq!(request.command, command::REGION_WRITE);
            assert!(request.size <= 32 * 1024, "{}", request.size);
            assert_eq!(wire::u64_at(&request.payload, 0), 8 + written.len() as u64);
            written.extend_from_slice(&request.payload[16..]);
            let fixed = &request.payload[..16];
            let reply = wire::message(request.id, request.command, flag::REPLY, fixed);
            server.send(&reply, &[]);
        }
        assert_eq!(written, expected);
    });
    client.region(RegionIndex::Bar0).write_bytes(8, &data).unwrap();
    thread.join().unwrap();
}
