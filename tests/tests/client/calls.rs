//! Calls of our own client from several threads, and what servers ask of it meanwhile.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vfio_user::Error;
use vfio_user::client::Client;
use vfio_user::client::DmaMapping;
use vfio_user::protocol::{DmaMapFlags, RegionIndex};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::scripted::{
    answer, attach, attached, options, refuse, reply, server, welcome,
};
use vfio_user_tests::wire::{self, command, errno, flag};
use vfio_user_tests::{PATIENCE, files};

const RIGHTS: DmaMapFlags = DmaMapFlags::READ.union(DmaMapFlags::WRITE);
const IOVA: u64 = 0x10_0000;

type Bytes = Arc<Mutex<Vec<u8>>>;

/// A page of 0, 1, 2, ..
fn page() -> Bytes {
    Arc::new(Mutex::new((0..0x1000u32).map(|n| n.to_le_bytes()[0]).collect()))
}

/// Answers a read of four bytes with its own offset.
fn echo(server: &RawClient, request: &Answer) {
    let offset = &request.payload[..4];
    reply(server, request, &[&request.payload, offset].concat());
}

#[test]
fn answers_go_to_whoever_asked_in_any_order() {
    const THREADS: u32 = 8;
    let (client, server) = attached(|server| {
        for round in 0..20 {
            let mut requests: Vec<_> = (0..THREADS).map(|_| server.receive()).collect();
            requests.rotate_left(round % 8);
            requests.iter().rev().for_each(|request| echo(&server, request));
        }
    });
    thread::scope(|scope| {
        for number in 0..THREADS {
            let bar = client.region(RegionIndex::Bar0);
            scope.spawn(move || {
                for round in 0..20 {
                    let offset = number * 0x100 + round;
                    assert_eq!(bar.read::<u32>(offset.into()).unwrap(), offset);
                }
            });
        }
    });
    server.join().unwrap();
}

#[test]
fn the_end_wakes_everybody() {
    let (client, server) = attached(|server| {
        for _ in 0..4 {
            server.receive();
        }
    });
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(matches!(client.reset(), Err(Error::Disconnected))));
        }
    });
    server.join().unwrap();
}

#[test]
fn a_thread_that_gives_up_does_not_stop_the_others() {
    let (stream, server) = server(|server| {
        welcome(&server);
        let (given_up, waiting) = (server.receive(), server.receive());
        thread::sleep(Duration::from_millis(150));
        echo(&server, &waiting);
        reply(&server, &given_up, &[]);
        echo(&server, &server.receive());
    });
    let client = Client::from_stream(stream, options(Duration::from_millis(200))).unwrap();
    let bar = client.region(RegionIndex::Bar0);
    thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(client.reset(), Err(Error::Timeout(_)))));
        thread::sleep(Duration::from_millis(100));
        scope.spawn(|| assert_eq!(bar.read::<u32>(8).unwrap(), 8));
    });
    assert_eq!(bar.read::<u32>(12).unwrap(), 12);
    server.join().unwrap();
}

/// A client whose page of memory is reached by messages, and a server that then does `serve`.
fn with_page(
    rights: DmaMapFlags,
    serve: impl FnOnce(RawClient) + Send + 'static,
) -> (Client, Bytes, thread::JoinHandle<()>) {
    let (client, thread) = attached(move |server| {
        let request = answer(&server, &[]);
        assert_eq!(request, wire::dma_map(rights.bits(), 0, IOVA, 0x1000));
        serve(server);
    });
    let memory = page();
    client.dma_map_memory(IOVA, 0x1000, memory.clone(), rights).unwrap();
    (client, memory, thread)
}

#[test]
fn memory_is_served_while_nothing_is_asked() {
    let (client, memory, thread) = with_page(RIGHTS, |mut server| {
        let read = wire::dma_access(IOVA + 0x10, 4, &[]);
        let got = server.request(command::DMA_READ, &read, &[]).ok();
        assert_eq!(got, [&read[..], &[0x10, 0x11, 0x12, 0x13]].concat());
        let write = wire::dma_access(IOVA + 0xffe, 2, &[7, 8]);
        assert_eq!(server.request(command::DMA_WRITE, &write, &[]).ok(), write[..16]);
        server.post(command::DMA_WRITE, &wire::dma_access(IOVA, 1, &[9]), &[]);
        server.post(command::DMA_WRITE, &wire::dma_access(0, 1, &[9]), &[]);
        let nothing = wire::dma_access(0, 0, &[]);
        assert_eq!(server.request(command::DMA_WRITE, &nothing, &[]).ok(), nothing);
    });
    thread.join().unwrap();
    drop(client);
    let memory = memory.lock().unwrap();
    assert_eq!((memory[0], &memory[0xffe..]), (9, &[7, 8][..]));
}

#[test]
fn what_the_server_must_not_do_is_an_error_and_the_session_goes_on() {
    let (client, _, thread) = with_page(DmaMapFlags::READ, |mut server| {
        let file = files::memory(1);
        let mut fails = |command, iova, count, data: &[u8], errno| {
            let access = wire::dma_access(iova, count, data);
            server.request(command, &access, &[]).fails_with(errno);
        };
        fails(command::DMA_WRITE, IOVA, 1, &[1], errno::EPERM);
        fails(command::DMA_READ, IOVA - 1, 2, &[], errno::EFAULT);
        fails(command::DMA_READ, IOVA + 0xfff, 2, &[], errno::EFAULT);
        fails(command::DMA_READ, u64::MAX, 2, &[], errno::EINVAL);
        fails(command::DMA_READ, IOVA, (1 << 20) + 1, &[], errno::E2BIG);
        fails(command::DMA_READ, IOVA, u64::MAX, &[], errno::E2BIG);
        fails(command::DMA_READ, IOVA, 1, &[1], errno::EINVAL);
        fails(command::DMA_WRITE, IOVA, 2, &[1], errno::EINVAL);
        fails(command::RESET, IOVA, 2, &[1], errno::ENOSYS);
        fails(99, IOVA, 2, &[1], errno::ENOSYS);
        server.request(command::DMA_READ, &[0; 15], &[]).fails_with(errno::EINVAL);
        let access = wire::dma_access(IOVA, 1, &[]);
        let with_fd = server.request(command::DMA_READ, &access, &[file.as_fd()]);
        with_fd.fails_with(errno::EINVAL);
        assert_eq!(server.request(command::DMA_READ, &access, &[]).ok()[16..], [0]);
    });
    thread.join().unwrap();
    drop(client);
}

#[test]
fn requests_of_the_server_come_between_answers_cut_anywhere() {
    let (client, memory, thread) = with_page(RIGHTS, |server| {
        let mut early = None;
        for cut in 0..=104 {
            let request = early.take().unwrap_or_else(|| server.receive());
            let write = wire::dma_access(IOVA + cut, 4, &[0xaa; 4]);
            let bytes = [
                wire::message(1, command::DMA_READ, 0, &wire::dma_access(IOVA + 0x800, 2, &[])),
                wire::message(request.id, request.command, flag::REPLY, &request.payload),
                wire::message(2, command::DMA_WRITE, 0, &write),
            ];
            let mut bytes = bytes.concat();
            // The answer to a read of four bytes has them behind what was asked.
            bytes.splice(64..64, [1, 2, 3, 4]);
            bytes[36] += 4;
            let (head, tail) = bytes.split_at(usize::try_from(cut).unwrap().min(bytes.len()));
            server.send(head, &[]);
            server.send(tail, &[]);
            assert_eq!(server.answer_to(1, command::DMA_READ).payload[16..], [0, 1]);
            let mut written = server.receive();
            if written.command == command::REGION_READ {
                // The client has its answer, and asks for more.
                early = Some(std::mem::replace(&mut written, server.receive()));
            }
            assert_eq!((written.id, written.flags), (2, flag::REPLY));
            assert_eq!(written.payload, write[..16]);
        }
    });
    for _ in 0..=104 {
        assert_eq!(client.region(RegionIndex::Bar0).read::<u32>(0).unwrap(), 0x0403_0201);
    }
    thread.join().unwrap();
    assert!(memory.lock().unwrap()[..108].iter().all(|byte| *byte == 0xaa));
}

/// Welcomes with a twin socket, and gives the server's end of it.
fn welcome_with_twin(server: &RawClient) -> RawClient {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let request = server.receive();
    assert!(request.payload.windows(11).any(|text| text == b"twin_socket"));
    let json = r#"{"capabilities":{"twin_socket":{"supported":true,"fd_index":1}}}"#;
    let version = wire::message(request.id, request.command, flag::REPLY, &wire::version(0, json));
    let stray = files::memory(1);
    server.send(&version, &[stray.as_fd(), theirs.as_fd()]);
    answer(server, &wire::words(&[16, 3, 9, 5]));
    RawClient::new(ours)
}

#[test]
fn a_twin_socket_carries_what_the_server_asks() {
    let (stream, thread) = server(|server| {
        let mut twin = welcome_with_twin(&server);
        answer(&server, &[]);
        // Even while a call waits.
        let waiting = server.receive();
        let read = wire::dma_access(IOVA, 1 << 12, &[]);
        let got = twin.request(command::DMA_READ, &read, &[]).ok();
        assert_eq!(got.len(), 16 + 0x1000);
        twin.request(99, &[], &[]).fails_with(errno::ENOSYS);
        reply(&server, &waiting, &[]);
        twin.expect_closed();
    });
    let client = attach(stream).unwrap();
    client.dma_map_memory(IOVA, 0x1000, page(), RIGHTS).unwrap();
    client.reset().unwrap();
    drop(client);
    thread.join().unwrap();
}

#[test]
fn a_twin_socket_that_did_not_come_is_malformed() {
    for member in [r#""supported":true"#, r#""supported":true,"fd_index":0"#] {
        let (stream, thread) = server(move |server| {
            let json = format!(r#"{{"capabilities":{{"twin_socket":{{{member}}}}}}}"#);
            answer(&server, &wire::version(0, &json));
        });
        assert!(matches!(attach(stream), Err(Error::Malformed { .. })));
        thread.join().unwrap();
    }
}

/// A hostile server gives something else: nothing of it may be waited for.
#[test]
fn a_twin_socket_that_is_none_is_malformed() {
    let (pipe, _writer) = files::new_pipe();
    let dir = tempfile::tempdir().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
    let (datagrams, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let wrong: Vec<OwnedFd> = vec![
        pipe.into(),
        listener.into(),
        datagrams.into(),
        udp.into(),
        files::memory(0x1000).into(),
        vfio_user::EventFd::new().unwrap().into(),
    ];
    for fd in wrong {
        let (stream, thread) = server(move |server| {
            let request = server.receive();
            let json = r#"{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}"#;
            let version = wire::version(0, json);
            let version = wire::message(request.id, request.command, flag::REPLY, &version);
            server.send(&version, &[fd.as_fd()]);
        });
        let attached = attach(stream);
        assert!(matches!(attached, Err(Error::Malformed { .. })), "{attached:?}");
        thread.join().unwrap();
    }
}

/// The server keeps the client's own end as well: it makes it non-blocking, and receives from it.
#[test]
fn a_twin_socket_that_the_server_shares_ends_with_the_client() {
    for nonblocking in [true, false] {
        let (stream, thread) = server(move |server| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let request = server.receive();
            let json = r#"{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}"#;
            let version = wire::version(0, json);
            let version = wire::message(request.id, request.command, flag::REPLY, &version);
            server.send(&version, &[theirs.as_fd()]);
            answer(&server, &wire::words(&[16, 3, 9, 5]));
            answer(&server, &[]);
            theirs.set_nonblocking(nonblocking).unwrap();
            let before = thread_time();
            thread::sleep(Duration::from_millis(300));
            let used = thread_time().saturating_sub(before);
            assert!(used < Duration::from_millis(150), "the client's thread spins: {used:?}");
            server.expect_closed();
            drop(ours);
        });
        let client = attach(stream).unwrap();
        client.dma_map_memory(IOVA, 0x1000, page(), RIGHTS).unwrap();
        thread::sleep(Duration::from_millis(400));
        drop(client);
        thread.join().unwrap();
    }
}

/// What the client's threads for memory have computed so far.
fn thread_time() -> Duration {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        if name.contains("(vfio-user memor") {
            let fields: Vec<_> = rest.split(' ').collect();
            ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    Duration::from_millis(ticks * 10)
}

#[test]
fn maps_that_make_no_sense_are_not_sent() {
    let (client, _, thread) = with_page(RIGHTS, |server| server.expect_closed());
    for (iova, size) in
        [(IOVA, 0x1000), (0, 0), (u64::MAX - 0xfff, 0x2000), (0x800, 0x1000), (0, 0x800)]
    {
        let result = client.dma_map_memory(iova, size, page(), RIGHTS);
        assert!(matches!(result, Err(Error::Argument(_))), "{iova:#x} {size:#x}: {result:?}");
    }
    drop(client);
    thread.join().unwrap();
}

/// Asks for memory while the client waits for a reset.
fn nothing_is_mapped(server: &mut RawClient) {
    let waiting = server.receive();
    let read = wire::dma_access(IOVA, 1, &[]);
    server.request(command::DMA_READ, &read, &[]).fails_with(errno::EFAULT);
    reply(server, &waiting, &[]);
}

#[test]
fn a_map_that_is_refused_is_not_served_and_can_be_tried_again() {
    let (client, thread) = attached(|mut server| {
        refuse(&server, &server.receive(), errno::ENOSPC);
        nothing_is_mapped(&mut server);
        answer(&server, &[]);
    });
    assert!(client.dma_map_memory(IOVA, 0x1000, page(), RIGHTS).is_err());
    client.reset().unwrap();
    client.dma_map_memory(IOVA, 0x1000, page(), RIGHTS).unwrap();
    thread.join().unwrap();
}

#[test]
fn everything_is_unmapped_one_by_one_where_there_is_no_other_way() {
    let (client, _, thread) = with_page(RIGHTS, |mut server| {
        answer(&server, &[]);
        let all = server.receive();
        assert_eq!(all.payload, wire::dma_unmap(2, 0, 0));
        refuse(&server, &all, errno::EINVAL);
        for iova in [IOVA, IOVA + 0x1000] {
            let unmap = wire::dma_unmap(0, iova, 0x1000);
            assert_eq!(answer(&server, &unmap), unmap);
        }
        nothing_is_mapped(&mut server);
    });
    let file = files::memory(0x1000);
    client
        .dma_map(DmaMapping {
            iova: IOVA + 0x1000,
            size: 0x1000,
            file: file.as_fd(),
            offset: 0,
            rights: RIGHTS,
        })
        .unwrap();
    client.dma_unmap_all().unwrap();
    client.reset().unwrap();
    thread.join().unwrap();
}

/// A message of a server: id, command, flags, claimed size and payload, and whether a descriptor
/// comes along.
type Wild = (u16, u16, u32, Option<u32>, Vec<u8>, bool);

fn wild() -> impl Strategy<Value = Wild> {
    let flags = prop_oneof![8 => Just(1u32), 4 => Just(0), 2 => Just(0x21), 1 => Just(0x10)];
    let size = prop_oneof![200 => Just(None), 1 => any::<u32>().prop_map(Some)];
    (0u16..64, 0u16..20, flags, size, vec(any::<u8>(), 0..48), prop::bool::weighted(0.1))
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn whatever_a_server_sends_costs_the_connection_at_most(
        messages in vec(wild(), 1000..1001),
    ) {
        let file = files::memory(0x1000);
        let stray = file.try_clone().unwrap();
        let (client, memory, thread) = with_page(RIGHTS, move |server| {
            let stream = server.stream().try_clone().unwrap();
            let drain = thread::spawn(move || RawClient::new(stream).drain_to_end());
            for (id, command, flags, size, payload, with_fd) in messages {
                let size = size.unwrap_or(16 + u32::try_from(payload.len()).unwrap());
                let bytes = [wire::header(id, command, size, flags), payload].concat();
                let fds = if with_fd { &[stray.as_fd()][..] } else { &[] };
                if server.try_send(&bytes, fds).is_err() {
                    break;
                }
            }
            let _ = server.stream().shutdown(std::net::Shutdown::Both);
            drain.join().unwrap();
        });
        while !matches!(client.reset(), Err(Error::Disconnected | Error::Framing(_))) {}
        drop(client);
        thread.join().unwrap();
        prop_assert_eq!(Arc::strong_count(&memory), 1);
        prop_assert_eq!(files::count_descriptors(&file), 1);
    }
}

#[test]
fn more_regions_than_make_sense_are_malformed() {
    for info in [[16, 3, 257, 5], [16, 3, 9, 65]] {
        let (stream, thread) = server(move |server| {
            answer(&server, &wire::version(0, "{}"));
            answer(&server, &wire::words(&info));
        });
        let attached = Client::from_stream(stream, options(PATIENCE));
        assert!(matches!(attached, Err(Error::Malformed { .. })));
        thread.join().unwrap();
    }
}

#[test]
fn an_access_that_wraps_around_is_not_asked_for() {
    let (client, thread) = attached(|server| server.expect_closed());
    let region = client.region(RegionIndex::Bar0);
    for refused in [region.read_bytes(u64::MAX, &mut [0; 2]), region.write_bytes(u64::MAX, &[0; 2])]
    {
        assert!(matches!(refused, Err(Error::Argument(_))), "{refused:?}");
    }
    drop(client);
    thread.join().unwrap();
}
