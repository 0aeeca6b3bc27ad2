//! Regions that our own client maps, doorbells that it rings, writes that it puts together.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use vfio_user::client::Client;
use vfio_user::client::{DmaMapping, MappedBars, RegionMap};
use vfio_user::declaration::DataMatch;
use vfio_user::driver::{Bars as _, Width};
use vfio_user::function::Function as _;
use vfio_user::protocol::{DmaMapFlags, RegionFlags, RegionIndex};
use vfio_user::{Cx, Device, Error, EventFd, PciDevice, Server, SharedError, Virtual};
use vfio_user_tests::ram::Ram;
use vfio_user_tests::scripted::{answer, attach, attached, reply, server};
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, flag};
use vfio_user_tests::{PATIENCE, files};

use RegionIndex::{Bar0, Bar2, Bar3, Bar4, Bar5};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fa)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Bells {
    #[reg(0x00, wo, kick = Self::ring)]
    kick: Virtual<u32>,
    #[reg(0x04, wo, write_with = Self::ring_with, ioeventfd = 0x1234)]
    matched: Virtual<u16>,
    #[reg(0x08, ro)]
    rung: u32,
    #[reg(0x10)]
    scratch: [u32; 8],
}

impl Device for Bells {
    type Event = ();
}

impl Bells {
    fn ring(&mut self, cx: &mut Cx<'_, Self>) {
        self.rung += 1;
        cx.irq(0).raise();
    }

    fn ring_with(&mut self, cx: &mut Cx<'_, Self>, value: u16) {
        assert_eq!(value, 0x1234);
        self.ring(cx);
    }
}

fn bells(with: impl FnOnce(Server) -> Server) -> (Running, Client) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = with(Server::from_stream(theirs).unwrap());
    let running = Running::start(server, |server| server.serve(Bells::default));
    (running, attach(ours).unwrap())
}

fn ram(ram: Ram) -> (Running, Client) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut function = Some(ram);
    let server = Server::from_stream(theirs).unwrap();
    let running = Running::start(server, move |server| {
        server.serve_functions(move || Ok(Box::new(function.take().expect("no panic"))))
    });
    (running, attach(ours).unwrap())
}

/// First byte and end of each part.
fn mapped(map: &RegionMap) -> Vec<(u64, u64)> {
    map.areas().map(|area| (area.start, area.end)).collect()
}

#[test]
fn the_mappable_parts_of_a_region_are_mapped_and_shared_with_the_device() {
    let function = Ram::new();
    let file = function.file();
    let (_running, client) = ram(function);
    for (index, areas, at) in [
        (Bar0, &[(0x1000, 0x2000)][..], 0),
        (Bar2, &[(0, 0x2000)], 0x1000),
        (Bar3, &[(0, 0x2000), (0x8000, 0xc000)], 0x1_0000),
    ] {
        let map = client.region_details(index).unwrap().map().unwrap();
        assert_eq!(mapped(&map), areas);
        for (start, end) in areas {
            let last = end - 4;
            map.store(last, 0x1234_5678_u32).unwrap();
            let mut bytes = [0; 4];
            file.read_exact_at(&mut bytes, at + last).unwrap();
            assert_eq!(bytes, 0x1234_5678_u32.to_le_bytes());
            file.write_all_at(&[1, 0, 0, 0], at + start).unwrap();
            let add = |word: &AtomicU32| word.fetch_add(1, Ordering::SeqCst);
            assert_eq!(map.atomic(*start, add), Ok(1));
            assert_eq!(map.load::<u16>(*start), Ok(2));
            assert!(!map.contains(last, 5) && map.contains(last, 4));
            let outside = Err(SharedError::Outside { offset: last, len: 8 });
            assert_eq!(map.write(last, &[0; 8]), outside);
            assert!(matches!(map.load::<u32>(last - 1), Err(SharedError::Misaligned { .. })));
        }
    }
    for index in [Bar4, Bar5, RegionIndex::Config] {
        assert_eq!(client.region_details(index).unwrap().map().unwrap().areas().count(), 0);
    }
}

#[test]
fn an_access_goes_to_memory_where_it_is_mapped_and_by_message_elsewhere() {
    let (_running, client) = ram(Ram::new());
    let map = client.region_details(Bar0).unwrap().map().unwrap();
    let region = client.region(Bar0).through(&map);
    let whole: Vec<u8> = (0..0x4000_u32).map(|n| n.to_le_bytes()[1]).collect();
    region.write_bytes(0, &whole).unwrap();
    map.write(0x1000, &[7; 8]).unwrap();
    assert_eq!(region.read::<u64>(0x1000).unwrap(), 0x0707_0707_0707_0707);
    assert_eq!(client.region(Bar0).read::<u64>(0x1000).unwrap(), 0x0707_0707_0707_0707);
    region.write(0x1008, 9_u32).unwrap();
    region.post(0x100c, 10_u32).unwrap();
    assert_eq!(map.load::<u64>(0x1008), Ok(10 << 32 | 9));
    let mut across = [0; 8];
    region.read_bytes(0xffc, &mut across).unwrap();
    assert_eq!(across, [0xf, 0xf, 0xf, 0xf, 7, 7, 7, 7]);
}

/// A region's description with sparse areas.
fn region(flags: RegionFlags, size: u64, offset: u64, areas: &[(u64, u64)]) -> Vec<u8> {
    let room = u32::try_from(48 + 16 * areas.len()).unwrap();
    let flags = flags | RegionFlags::CAPS;
    let mut payload = wire::words(&[room, flags.bits(), 0, 32]);
    payload.extend(wire::longs(&[size, offset]));
    payload.extend(wire::words(&[1 | 1 << 16, 0, u32::try_from(areas.len()).unwrap(), 0]));
    for (offset, size) in areas {
        payload.extend(wire::longs(&[*offset, *size]));
    }
    payload
}

/// A server that describes a region like that, and gives these files.
fn describing(payload: Vec<u8>, files: Vec<File>) -> (Client, JoinHandle<()>) {
    attached(move |server| {
        let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        for _ in 0..2 {
            let request = server.receive();
            server.send(&wire::message(request.id, request.command, flag::REPLY, &payload), &files);
        }
    })
}

const ALL: RegionFlags = RegionFlags::READ.union(RegionFlags::WRITE).union(RegionFlags::MMAP);

#[test]
fn a_file_for_each_area_is_taken_as_well() {
    let pair = [files::memory(0x4000), files::memory(0x8000)];
    let given = pair.iter().map(|file| file.try_clone().unwrap()).collect();
    let areas = [(0x4000, 0x1000), (0x1000, 0x2000)];
    let (client, thread) = describing(region(ALL, 0x8000, 0x1000, &areas), given);
    let map = client.region_details(Bar0).unwrap().map();
    // The first area would end behind its file.
    assert!(matches!(map, Err(Error::Malformed { .. })), "{map:?}");
    pair[0].set_len(0x8000).unwrap();
    let pair_again = pair.iter().map(|file| file.try_clone().unwrap()).collect();
    let (other, other_thread) = describing(region(ALL, 0x8000, 0x1000, &areas), pair_again);
    let map = other.region_details(Bar0).unwrap().map().unwrap();
    assert_eq!(mapped(&map), [(0x1000, 0x3000), (0x4000, 0x5000)]);
    map.store(0x4000, 1_u32).unwrap();
    map.store(0x1000, 2_u32).unwrap();
    let first = |file: &File, at| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        byte[0]
    };
    assert_eq!([first(&pair[0], 0x5000), first(&pair[1], 0x2000)], [1, 2]);
    thread.join().unwrap();
    other_thread.join().unwrap();
}

/// A server could make any access to such a file hang, even `fstat`.
#[test]
fn a_file_that_does_not_live_in_memory_is_mapped_only_on_request() {
    let zero = File::options().read(true).write(true).open("/dev/zero").unwrap();
    let (client, thread) = describing(region(ALL, 0x1000, 0, &[(0, 0x1000)]), vec![zero]);
    let details = client.region_details(Bar0).unwrap();
    assert!(matches!(details.map(), Err(Error::FileNotInMemory)));
    let map = details.map_any_file().unwrap();
    map.store(8, 0xcafe_u32).unwrap();
    assert_eq!(map.load::<u64>(8), Ok(0xcafe));
    drop(client);
    thread.join().unwrap();
}

#[test]
fn a_bar_whose_file_is_not_in_memory_is_accessed_by_messages() {
    let (client, thread) = attached(|server| {
        let zero = File::options().read(true).write(true).open("/dev/zero").unwrap();
        let mut description = region(ALL, 0x1000, 0, &[(0, 0x1000)]);
        let mut request = server.receive();
        while request.command == command::GET_REGION_INFO {
            description[8..12].copy_from_slice(&request.payload[8..12]);
            let reply = wire::message(request.id, request.command, flag::REPLY, &description);
            server.send(&reply, &[zero.as_fd()]);
            request = server.receive();
        }
        assert_eq!(request.command, command::REGION_READ);
        reply(&server, &request, &[&request.payload[..], &[5, 0, 0, 0]].concat());
    });
    let mut bars = MappedBars::new(&client).unwrap();
    assert_eq!(bars.read(0, 8, Width::U32).unwrap(), 5);
    thread.join().unwrap();
}

/// One file of several is enough to refuse all.
#[test]
fn each_file_of_a_region_has_to_live_in_memory() {
    let given = vec![files::memory(0x4000), File::open("/dev/zero").unwrap()];
    let areas = [(0, 0x1000), (0x1000, 0x1000)];
    let (client, thread) = describing(region(ALL, 0x4000, 0, &areas), given);
    let map = client.region_details(Bar0).unwrap().map();
    assert!(matches!(map, Err(Error::FileNotInMemory)), "{map:?}");
    drop(client);
    thread.join().unwrap();
}

#[test]
fn a_region_that_lies_about_its_parts_is_not_mapped() {
    let two: &[_] = &[(0, 0x1000), (0x2000, 0x1000)];
    for (areas, files, offset) in [
        (&[(0, 0x2000), (0x1000, 0x1000)][..], 1, 0),
        (&[(0x1000, 0x1000), (0x1000, 0x1000)], 1, 0),
        (&[(0, 0x1000), (0x1000, 0x1000), (0x2000, 0x1000)], 2, 0),
        (two, 1, 0x4000),
        (two, 1, u64::MAX - 0xfff),
    ] {
        let given = (0..files).map(|_| files::memory(0x4000)).collect();
        let (client, thread) = describing(region(ALL, 0x4000, offset, areas), given);
        let mapped = client.region_details(Bar0).and_then(|details| details.map());
        assert!(matches!(mapped, Err(Error::Malformed { .. })), "{areas:?}: {mapped:?}");
        thread.join().unwrap();
    }
}

#[test]
fn parts_of_pages_and_regions_without_file_are_left_to_messages() {
    let parts = &[(0x10, 0x1ff0), (0x2000, 0x800), (0x3fff, 1)][..];
    for (flags, areas, count, expected) in [
        (ALL, parts, 1, &[(0x1000, 0x2000)][..]),
        (ALL, parts, 0, &[]),
        (ALL, &[], 1, &[]),
        (ALL - RegionFlags::MMAP, parts, 1, &[]),
        (ALL - RegionFlags::READ, parts, 1, &[]),
    ] {
        let given = (0..count).map(|_| files::memory(0x4000)).collect();
        let (client, thread) = describing(region(flags, 0x4000, 0, areas), given);
        let map = client.region_details(Bar0).unwrap().map().unwrap();
        assert_eq!(mapped(&map), expected);
        thread.join().unwrap();
    }
}

#[test]
fn what_may_not_be_written_is_not_and_a_file_that_shrinks_is_an_error() {
    let file = files::memory(0x4000);
    let given = vec![file.try_clone().unwrap()];
    let flags = RegionFlags::READ | RegionFlags::MMAP;
    let (client, thread) = describing(region(flags, 0x4000, 0, &[(0, 0x4000)]), given);
    let map = client.region_details(Bar0).unwrap().map().unwrap();
    thread.join().unwrap();
    drop(client);
    assert_eq!(map.store(0, 1_u32), Err(SharedError::ReadOnly));
    assert_eq!(map.atomic(0, |_: &AtomicU32| ()), Err(SharedError::ReadOnly));
    assert_eq!(map.load::<u32>(0), Ok(0));
    file.set_len(0).unwrap();
    assert_eq!(map.load::<u32>(0), Err(SharedError::Lost));
}

#[test]
fn doorbells_are_rung_without_a_message() {
    let (_running, client) = bells(|server| server);
    let irq = EventFd::new().unwrap();
    client.set_irqs(vfio_user::protocol::IrqIndex::Msix, 0, &[Some(&irq)]).unwrap();
    let doorbells = client.ioeventfds(Bar0).unwrap();
    let known: Vec<_> = doorbells.iter().map(|bell| (bell.offset, bell.size, bell.value)).collect();
    assert_eq!(known, [(0, 4, DataMatch::Any), (4, 2, DataMatch::Value(0x1234))]);
    for (count, doorbell) in (1..).zip(&doorbells) {
        assert!(!doorbell.is_port);
        doorbell.eventfd.signal();
        assert_eq!(irq.wait(PATIENCE).unwrap(), Some(1));
        assert_eq!(client.region(Bar0).read::<u32>(8).unwrap(), count);
    }
    assert!(client.ioeventfds(RegionIndex::Config).unwrap().is_empty());
    let none = client.ioeventfds(Bar5);
    assert!(matches!(none, Err(Error::Refused { .. })), "{none:?}");
}

/// An entry: offset, size, descriptor, type, flags, and what comes behind.
fn entry(offset: u64, size: u64, words: [u32; 4], behind: &[u64]) -> Vec<u8> {
    [wire::longs(&[offset, size]), wire::words(&words), wire::longs(behind)].concat()
}

/// Asks a server for doorbells of a region of 4 KiB.
fn listed(
    count: u32,
    entries: &[Vec<u8>],
    fds: usize,
) -> Result<Vec<(u64, u64, DataMatch)>, Error> {
    let entries = entries.concat();
    let needed = u32::try_from(16 + entries.len()).unwrap();
    let (client, thread) = attached(move |server| {
        answer(&server, &[wire::words(&[32, 3, 0, 0]), wire::longs(&[0x1000, 0])].concat());
        answer(&server, &wire::words(&[needed, 0, 0, count]));
        if needed == 16 {
            return;
        }
        let request = server.receive();
        assert_eq!(wire::u32_at(&request.payload, 0), needed);
        let payload = [wire::words(&[needed, 0, 0, count]), entries].concat();
        let eventfds: Vec<_> = (0..fds).map(|_| EventFd::new().unwrap()).collect();
        let fds = files::borrow(&eventfds);
        server.send(&wire::message(request.id, request.command, flag::REPLY, &payload), &fds);
    });
    let listed = client.ioeventfds(Bar0);
    thread.join().unwrap();
    Ok(listed?.into_iter().map(|bell| (bell.offset, bell.size, bell.value)).collect())
}

#[test]
fn both_layouts_of_doorbells_are_understood_and_other_kinds_left_out() {
    let value = DataMatch::Value(7);
    let spec = vec![
        entry(0, 4, [0, 0, 1, 0], &[7]),
        entry(8, 0, [0, 0, 0, 0], &[0]),
        entry(16, 8, [0, 1, 0, 0], &[9]),
    ];
    let expected = [(0, 4, value), (8, 0, DataMatch::Any)];
    assert_eq!(listed(3, &spec, 1).unwrap(), expected);
    let shadow = vec![
        entry(0, 4, [0, 0, 1, u32::MAX], &[0x10, 7]),
        entry(8, 0, [1, 0, 0, u32::MAX], &[0, 0]),
        entry(16, 8, [0, 2, 0, 0], &[0, 0]),
    ];
    assert_eq!(listed(3, &shadow, 2).unwrap(), expected);
    assert_eq!(listed(0, &[], 0).unwrap(), []);
}

#[test]
fn doorbells_that_make_no_sense_are_malformed() {
    let good = entry(0, 4, [0, 0, 0, 0], &[0]);
    for (count, bad) in [
        (1, entry(0x1000, 0, [0, 0, 0, 0], &[0])),
        (1, entry(0xffd, 4, [0, 0, 0, 0], &[0])),
        (1, entry(u64::MAX, 4, [0, 0, 0, 0], &[0])),
        (1, entry(0, 3, [0, 0, 0, 0], &[0])),
        (1, entry(0, 4, [1, 0, 0, 0], &[0])),
        (1, entry(0, 4, [0, 0, 4, 0], &[0])),
        (1, entry(0, 2, [0, 0, 1, 0], &[0x1_0000])),
        (1, entry(0, 0, [0, 0, 1, 0], &[1])),
        (1, good[..39].to_vec()),
        (2, good.clone()),
        (3, [good.clone(), good.clone()].concat()),
    ] {
        let listed = listed(count, &[bad], 1);
        assert!(matches!(listed, Err(Error::Malformed { .. })), "{listed:?}");
    }
}

#[test]
fn a_doorbell_that_is_no_eventfd_is_malformed() {
    let (client, thread) = attached(|server| {
        answer(&server, &[wire::words(&[32, 3, 0, 0]), wire::longs(&[0x1000, 0])].concat());
        answer(&server, &wire::words(&[56, 0, 0, 1]));
        let request = server.receive();
        let payload = [wire::words(&[56, 0, 0, 1]), entry(0, 4, [0, 0, 0, 0], &[0])].concat();
        let reply = wire::message(request.id, request.command, flag::REPLY, &payload);
        server.send(&reply, &[files::memory(8).as_fd()]);
    });
    assert!(matches!(client.ioeventfds(Bar0), Err(Error::Malformed { .. })));
    thread.join().unwrap();
}

#[test]
fn several_writes_are_one_message_where_the_server_says_so() {
    for (offered, with) in
        [(false, (|server| server) as fn(Server) -> Server), (true, Server::write_multiple)]
    {
        let (_running, client) = bells(with);
        assert_eq!(client.server_capabilities().write_multiple, offered);
        let bar = client.region(Bar0);
        let writes: Vec<_> =
            (0..8).map(|n: u32| bar.entry(0x10 + 4 * u64::from(n), n + 1)).collect();
        assert_eq!(client.write_multi(&writes).unwrap(), 8);
        for n in 0..8_u32 {
            assert_eq!(bar.read::<u32>(0x10 + 4 * u64::from(n)).unwrap(), n + 1);
        }
        let wrong = bar.entry(0xfff, 1_u32);
        assert_eq!(client.write_multi(&[writes[7], wrong, writes[7]]).unwrap(), 1);
        let refused = client.write_multi(&[wrong, writes[7]]);
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
        let many: Vec<_> = (0..5000_u32).map(|n| bar.entry(0x10, n)).collect();
        assert_eq!(client.write_multi(&many).unwrap(), 5000);
        assert_eq!(bar.read::<u32>(0x10).unwrap(), 4999);
        assert_eq!(client.write_multi(&[]).unwrap(), 0);
    }
}

#[test]
fn a_server_cannot_have_done_more_writes_than_there_were() {
    let (stream, thread) = server(|server| {
        answer(&server, &wire::version(0, r#"{"capabilities":{"write_multiple":true}}"#));
        answer(&server, &wire::words(&[16, 3, 9, 5]));
        let request = server.receive();
        assert_eq!((request.command, request.payload.len()), (command::REGION_WRITE_MULTI, 32));
        let reply = wire::message(request.id, request.command, flag::REPLY, &wire::longs(&[2]));
        server.send(&reply, &[]);
    });
    let client = attach(stream).unwrap();
    let written = client.write_multi(&[client.region(Bar0).entry(0, 1_u8)]);
    assert!(matches!(written, Err(Error::Malformed { .. })), "{written:?}");
    thread.join().unwrap();
}

#[test]
fn an_unmap_returns_which_pages_were_written_last() {
    let function = Ram::new();
    let dma = function.dma().for_session();
    let (_running, client) = ram(function);
    let (file, both) = (files::memory(0x4000), DmaMapFlags::READ | DmaMapFlags::WRITE);
    client
        .dma_map(DmaMapping {
            iova: 0x1_0000,
            size: 0x4000,
            file: file.as_fd(),
            offset: 0,
            rights: both,
        })
        .unwrap();
    let unmapped = client.dma_unmap_dirty(0x1_0000, 0x4000, 0x1000);
    assert!(matches!(unmapped, Err(Error::Refused { .. })), "nothing is logged: {unmapped:?}");
    client.start_dirty_log(0x1000, &[]).unwrap();
    dma.write(0x1_1fff, &[1, 2]).unwrap();
    let pages = client.dma_unmap_dirty(0x1_0000, 0x4000, 0x1000).unwrap();
    assert_eq!(pages.iter().collect::<Vec<_>>(), [0x1_1000, 0x1_2000]);
    assert!(dma.write(0x1_1000, &[1]).is_err());
    // The place is free for another one.
    client
        .dma_map(DmaMapping {
            iova: 0x1_0000,
            size: 0x4000,
            file: file.as_fd(),
            offset: 0,
            rights: both,
        })
        .unwrap();
}

#[test]
fn an_unmap_without_the_bitmap_that_was_asked_for_is_malformed() {
    for len in [0, 24, 39, 47] {
        let (client, thread) = attached(move |server| {
            answer(&server, &[]);
            let request = answer(&server, &vec![0; len]);
            assert_eq!(request[..8], wire::words(&[48, 1])[..]);
            answer(&server, &[]);
        });
        let file = files::memory(0x4000);
        client
            .dma_map(DmaMapping {
                iova: 0,
                size: 0x4000,
                file: file.as_fd(),
                offset: 0,
                rights: DmaMapFlags::READ,
            })
            .unwrap();
        let unmapped = client.dma_unmap_dirty(0, 0x4000, 0x1000);
        assert!(matches!(unmapped, Err(Error::Malformed { .. })), "{unmapped:?}");
        client
            .dma_map(DmaMapping {
                iova: 0,
                size: 0x4000,
                file: file.as_fd(),
                offset: 0,
                rights: DmaMapFlags::READ,
            })
            .unwrap();
        thread.join().unwrap();
    }
}
