//! Which pages the device has written: dirty page logging.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use vfio_user::function::Function;
use vfio_user::{FileQueue, Server, SessionDma, Socket};
use vfio_user_tests::puppet::Puppet;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::stepped::{settle, turns_of};
use vfio_user_tests::wire::{self, command, dma, errno, feature};
use vfio_user_tests::{files, scripted};

const PAGE: u64 = 0x1000;
const NONE: [u64; 0] = [];

fn setup() -> (Running, RawClient, SessionDma) {
    let ram = Ram::new();
    let memory = ram.dma().for_session();
    let (running, client) = serve::function(ram);
    (running, client, memory)
}

trait Logging {
    fn feature(&mut self, argsz: u32, flags: u32, data: &[u8]) -> Answer;
    fn map(&mut self, flags: u32, iova: u64, size: u64, file: &File);
    fn start(&mut self);
    fn report(&mut self, iova: u64, length: u64, page_size: u64) -> Vec<u64>;
    fn unmap(&mut self, argsz: u32, flags: u32, fields: &[u64]) -> (Answer, Vec<u8>);
}

impl Logging for RawClient {
    fn feature(&mut self, argsz: u32, flags: u32, data: &[u8]) -> Answer {
        let payload = [wire::words(&[argsz, flags]), data.to_vec()].concat();
        self.request(command::FEATURE, &payload, &[])
    }

    #[track_caller]
    fn map(&mut self, flags: u32, iova: u64, size: u64, file: &File) {
        self.dma_map(flags, 0, iova, size, Some(file.as_fd())).ok();
    }

    #[track_caller]
    fn start(&mut self) {
        self.feature(24, feature::SET | feature::START, &wire::longs(&[PAGE, 0])).ok();
    }

    /// The numbers of the pages that are dirty.
    #[track_caller]
    fn report(&mut self, iova: u64, length: u64, page_size: u64) -> Vec<u64> {
        let size = length.div_ceil(page_size).div_ceil(64) * 8;
        let argsz = u32::try_from(32 + size).unwrap();
        let asked = wire::longs(&[iova, length, page_size]);
        let answer = self.feature(argsz, feature::GET | feature::REPORT, &asked).ok();
        let head = wire::words(&[argsz, feature::GET | feature::REPORT]);
        assert_eq!(answer[..32], [head, asked].concat(), "the request, repeated");
        assert_eq!(answer.len(), argsz as usize);
        ones(&answer[32..])
    }

    /// An unmap that asks for the dirty pages, and the request.
    fn unmap(&mut self, argsz: u32, flags: u32, fields: &[u64]) -> (Answer, Vec<u8>) {
        let head = wire::words(&[argsz, dma::UNMAP_DIRTY | flags]);
        let payload = [head, wire::longs(fields)].concat();
        (self.request(command::DMA_UNMAP, &payload, &[]), payload)
    }
}

fn ones(bitmap: &[u8]) -> Vec<u64> {
    let bits = (0..).zip(bitmap).flat_map(|(n, byte)| (0..8).map(move |bit| (n * 8 + bit, byte)));
    bits.filter(|(at, byte)| **byte >> (at % 8) & 1 == 1).map(|(at, _)| at).collect()
}

#[test]
fn what_is_supported_is_reported() {
    let (_running, mut client, _memory) = setup();
    for (number, operation) in [
        (feature::START, feature::SET),
        (feature::STOP, feature::SET),
        (feature::REPORT, feature::GET),
        (feature::REPORT, 0),
    ] {
        let flags = number | operation | feature::PROBE;
        assert_eq!(client.feature(8, flags, &[]).ok(), wire::words(&[8, flags]));
    }
    for (number, operation) in [
        (feature::START, feature::GET),
        (feature::START, feature::GET | feature::SET),
        (feature::REPORT, feature::SET),
    ] {
        client.feature(8, number | operation | feature::PROBE, &[]).fails_with(errno::EINVAL);
    }
    for (number, operation) in
        [(0, feature::GET), (3, feature::GET), (10, feature::SET), (0xffff, feature::GET)]
    {
        client.feature(8, number | operation | feature::PROBE, &[]).fails_with(errno::ENOTTY);
    }
    client.feature(64, feature::GET | feature::START, &[0; 16]).fails_with(errno::EINVAL);
    client.feature(64, feature::SET | 0xfff0, &[0; 16]).fails_with(errno::ENOTTY);
}

#[test]
fn requests_to_log_that_make_no_sense_are_refused() {
    let (_running, mut client, _memory) = setup();
    let set = feature::SET | feature::START;
    for payload in [&[][..], &[0; 7], &wire::words(&[24])] {
        client.request(command::FEATURE, payload, &[]).fails_with(errno::EINVAL);
    }
    let start = wire::longs(&[PAGE, 0]);
    for flags in [6, 0x3_0006, 0x8_0006, 0x8002_0006, 0xa_0006] {
        client.feature(24, flags, &start).fails_with(errno::EINVAL);
    }
    for argsz in [0, 7, 23] {
        client.feature(argsz, set, &start).fails_with(errno::EINVAL);
    }
    client.feature(7, feature::PROBE | feature::START, &[]).fails_with(errno::EINVAL);
    let range = |iova, length| wire::longs(&[PAGE, 1, iova, length]);
    for data in [
        vec![0; 15],
        wire::longs(&[0, 0]),
        wire::longs(&[3, 0]),
        wire::longs(&[u64::MAX, 0]),
        wire::longs(&[PAGE, 1]),
        wire::longs(&[PAGE, 1, 0]),
        wire::longs(&[PAGE, 2, 0, PAGE]),
        wire::longs(&[PAGE, 0, 0, PAGE]),
        wire::longs(&[PAGE, 0xffff_ffff]),
        range(0, 0),
        range(u64::MAX, 2),
    ] {
        client.feature(4096, set, &data).fails_with(errno::EINVAL);
    }
    client.feature(4096, set, &range(u64::MAX, 1)).ok();
}

#[test]
fn reports_that_make_no_sense_are_refused() {
    let (_running, mut client, _memory) = setup();
    let get = feature::GET | feature::REPORT;
    let report = wire::longs(&[0, PAGE, PAGE]);
    client.feature(4096, get, &report).fails_with(errno::EINVAL);
    client.start();
    client.feature(39, get, &report).fails_with(errno::EINVAL);
    client.feature(40, get, &report).ok();
    for (iova, length, page_size, expected) in [
        (0, 0, PAGE, errno::EINVAL),
        (2, u64::MAX, PAGE, errno::EINVAL),
        (0, PAGE, 0, errno::EINVAL),
        (0, PAGE, 0x1001, errno::EINVAL),
        (0, u64::MAX, PAGE, errno::E2BIG),
        (0, u64::MAX, 1, errno::E2BIG),
        (0, (1 << 31) + 1, 1, errno::E2BIG),
        (0, 1 << 31, 1, errno::EINVAL),
    ] {
        let answer = client.feature(4096, get, &wire::longs(&[iova, length, page_size]));
        answer.fails_with(expected);
    }
    client.feature(4096, get, &wire::longs(&[0, PAGE, PAGE, 0])).fails_with(errno::EINVAL);
    client.feature(4096, get, &[0; 23]).fails_with(errno::EINVAL);
    client.sync();
}

#[test]
fn every_way_to_write_is_logged_and_none_to_read() {
    let (_running, mut client, memory) = setup();
    let file = files::memory(64 * PAGE);
    client.map(dma::BOTH, 0, 64 * PAGE, &file);
    client.map(dma::BOTH | dma::FILE_IO, 64 * PAGE, 64 * PAGE, &file);
    memory.write(0, &[1]).expect("before the log");
    client.start();
    assert_eq!(client.report(0, 128 * PAGE, PAGE), NONE);
    let guard = memory.map(0, 0x2_0000).unwrap();
    let mut bytes = vec![0; 0x2_0000];
    memory.read(0, &mut bytes).unwrap();
    guard.read(0, &mut bytes).unwrap();
    memory.load::<u64>(8).unwrap();
    assert_eq!(client.report(0, 128 * PAGE, PAGE), NONE, "only read");
    memory.write(PAGE - 1, &[1]).unwrap();
    memory.write_obj(3 * PAGE - 1, &[1_u8; 2]).unwrap();
    memory.fill(5 * PAGE, 0x2000, 1).unwrap();
    memory.store(8 * PAGE, 1_u32).unwrap();
    memory.atomic(10 * PAGE, |word: &AtomicU32| word.fetch_add(1, SeqCst)).unwrap();
    guard.write(12 * PAGE, &[1]).unwrap();
    guard.segments()[0].store(14 * PAGE, 1_u8).unwrap();
    guard.segments()[0].atomic(16 * PAGE, |word: &AtomicU32| word.fetch_add(1, SeqCst)).unwrap();
    guard.segments()[0].mark_dirty(18 * PAGE, PAGE);
    guard.segments()[0].mark_dirty(0x2_0000 - 1, u64::MAX);
    guard.segments()[0].mark_dirty(u64::MAX, u64::MAX);
    memory.mark_dirty(40 * PAGE, 1);
    memory.write(64 * PAGE - 4, &[1; 8]).unwrap();
    memory.write(70 * PAGE, &[1; 8]).unwrap();
    memory.write(72 * PAGE, &vec![1; 0x2_0000]).unwrap();
    memory.mark_dirty(126 * PAGE, u64::MAX);
    memory.mark_dirty(0, 0);
    let mut expected = vec![0, 2, 3, 5, 6, 8, 10, 12, 14, 16, 18, 31, 40, 63, 64, 70];
    expected.extend(72..104);
    expected.extend([126, 127]);
    assert_eq!(client.report(0, 128 * PAGE, PAGE), expected);
    assert_eq!(client.report(0, 128 * PAGE, PAGE), NONE, "reported once");
}

/// The client writes there itself, and knows.
/// When they are taken: the kernel may write until then.
#[test]
fn what_transfers_under_way_write_is_logged() {
    let (_running, mut client, memory) = setup();
    client.map(dma::BOTH, 0, 4 * PAGE, &files::memory(4 * PAGE));
    client.start();
    let disk = tempfile::tempfile().unwrap();
    disk.set_len(4 * PAGE).unwrap();
    let mut queue = FileQueue::new(&[disk], 2).unwrap();
    queue.write(0, 0, memory.map(0, 0x1000).unwrap(), ()).unwrap();
    queue.read(0, 0, memory.map(2 * PAGE, 0x1001).unwrap(), ()).unwrap();
    queue.submit().unwrap();
    assert_eq!(client.report(0, 4 * PAGE, PAGE), NONE);
    while let Some(((), done)) = queue.wait().unwrap() {
        done.unwrap();
    }
    assert_eq!(client.report(0, 4 * PAGE, PAGE), [2, 3]);
}

#[test]
fn what_is_written_by_messages_is_clean() {
    let (_running, mut client, memory) = setup();
    client.start();
    client.dma_map(dma::BOTH, 0, 0, 4 * PAGE, None).ok();
    let writing = std::thread::spawn(move || memory.write(PAGE, &[1; 8]));
    let request = client.receive();
    assert_eq!(request.payload, wire::dma_access(PAGE, 8, &[1; 8]));
    scripted::reply(&client, &request, &[]);
    writing.join().unwrap().unwrap();
    assert_eq!(client.report(0, 4 * PAGE, PAGE), NONE);
}

#[test]
fn a_report_is_for_any_range_and_pages_of_any_size() {
    let (_running, mut client, memory) = setup();
    let file = files::memory(1024 * PAGE);
    client.start();
    // 1024 pages, a hole, and 16 pages; behind them some that are reached by messages.
    client.map(dma::BOTH, 0, 1024 * PAGE, &file);
    client.map(dma::BOTH, 1040 * PAGE, 16 * PAGE, &file);
    client.dma_map(dma::BOTH, 0, 1056 * PAGE, 16 * PAGE, None).ok();
    let write = || {
        for page in [0, 5, 300, 1023, 1040, 1055] {
            memory.write(page * PAGE + 8, &[1; 8]).unwrap();
        }
        memory.mark_dirty(1056 * PAGE, PAGE);
    };
    let all = [0, 5, 300, 1023, 1040, 1055];
    write();
    assert_eq!(client.report(0, 2048 * PAGE, PAGE), all, "what messages write is clean");
    write();
    assert_eq!(client.report(5 * PAGE, 296 * PAGE, PAGE), [0, 295]);
    assert_eq!(client.report(0, 2048 * PAGE, PAGE), [0, 1023, 1040, 1055], "the rest");
    write();
    assert_eq!(client.report(0, 2048 * PAGE, 0x1_0000), [0, 18, 63, 65]);
    write();
    assert_eq!(client.report(0, 2048 * PAGE, 1 << 40), [0]);
    write();
    assert_eq!(client.report(5 * PAGE, PAGE, 512), (0..8).collect::<Vec<_>>());
    assert_eq!(client.report(5 * PAGE + 512, 4 * PAGE, PAGE), NONE);
    assert_eq!(client.report(1024 * PAGE, 16 * PAGE, PAGE), NONE, "a hole");
    assert_eq!(client.report(1 << 50, 1 << 30, PAGE), NONE);
    assert_eq!(client.report(u64::MAX - PAGE + 1, PAGE, PAGE), NONE);
    assert_eq!(client.report(0, u64::MAX, 1 << 63), [0]);
}

#[test]
fn logging_starts_and_stops_as_often_as_a_client_likes() {
    let (_running, mut client, memory) = setup();
    let file = files::memory(4 * PAGE);
    client.start();
    client.map(dma::BOTH, 0, 4 * PAGE, &file);
    memory.write(0, &[1]).unwrap();
    // What was asked for, with the pages that there are.
    let ranges = [0x10_0000, 2, 0, PAGE, PAGE, u64::MAX - PAGE];
    let flags = feature::SET | feature::START;
    let answer = client.feature(56, flags, &wire::longs(&ranges)).ok();
    let chosen = [&[PAGE], &ranges[1..]].concat();
    assert_eq!(answer, [wire::words(&[56, flags]), wire::longs(&chosen)].concat());
    assert_eq!(client.report(0, 4 * PAGE, PAGE), [0], "nothing was forgotten");
    memory.write(0, &[1]).unwrap();
    let stop = feature::SET | feature::STOP;
    assert_eq!(client.feature(8, stop, &[]).ok(), wire::words(&[8, stop]));
    client.feature(8, stop, &[]).ok();
    memory.write(PAGE, &[1]).unwrap();
    let asked = wire::longs(&[0, 4 * PAGE, PAGE]);
    client.feature(64, feature::GET | feature::REPORT, &asked).fails_with(errno::EINVAL);
    client.start();
    assert_eq!(client.report(0, 4 * PAGE, PAGE), NONE, "all of it was forgotten");
    memory.write(2 * PAGE, &[1]).unwrap();
    assert_eq!(client.report(0, 4 * PAGE, PAGE), [2]);
}

#[test]
fn an_unmap_returns_what_was_written() {
    let (_running, mut client, memory) = setup();
    let file = files::memory(8 * PAGE);
    client.unmap(48, 0, &[0, 64 * PAGE, PAGE, 8]).0.fails_with(errno::EINVAL);
    client.start();
    client.map(dma::BOTH, 0, 8 * PAGE, &file);
    client.map(dma::BOTH | dma::FILE_IO, 16 * PAGE, 8 * PAGE, &file);
    memory.write(2 * PAGE - 1, &[1; 2]).unwrap();
    memory.write(17 * PAGE, &[1; 2]).unwrap();
    for (argsz, fields) in [
        (47, &[0, 64 * PAGE, PAGE, 8][..]),
        (48, &[0, 64 * PAGE, PAGE, 7]),
        (48, &[0, 65 * PAGE, PAGE, 8]),
        (48, &[0, 64 * PAGE, 0, 8]),
        (48, &[0, 64 * PAGE, PAGE]),
        (48, &[0, 64 * PAGE]),
        (48, &[0, 0, PAGE, 8]),
        (48, &[2, u64::MAX, PAGE, 8]),
        (48, &[0, 20 * PAGE, PAGE, 8]),
    ] {
        client.unmap(argsz, 0, fields).0.fails_with(errno::EINVAL);
    }
    client.unmap(48, dma::UNMAP_ALL, &[0, 0, PAGE, 8]).0.fails_with(errno::EINVAL);
    client.unmap(u32::MAX, 0, &[0, u64::MAX, PAGE, 8]).0.fails_with(errno::E2BIG);
    let (answer, _) = client.unmap(u32::MAX, 0, &[0, PAGE, PAGE, (256 << 20) + 1]);
    answer.fails_with(errno::E2BIG);
    let (answer, request) = client.unmap(56, 0, &[0, 64 * PAGE, PAGE, 16]);
    let answer = answer.ok();
    assert_eq!(answer[..40], request, "the request, repeated");
    assert_eq!((answer.len(), ones(&answer[40..])), (56, vec![1, 2, 17]));
    assert_eq!(files::count_mappings(&file), 0);
    let (answer, request) = client.unmap(48, 0, &[0, 64 * PAGE, PAGE, 8]);
    assert_eq!(answer.ok(), [request, vec![0; 8]].concat(), "there is nothing any more");
}

/// No write is lost between two reports, whichever thread writes.
#[test]
fn what_threads_write_meanwhile_is_reported_now_or_later() {
    const PAGES: u64 = 64;
    let (_running, mut client, memory) = setup();
    let file = files::memory(PAGES * PAGE);
    client.map(dma::BOTH, 0, PAGES * PAGE, &file);
    client.start();
    let worker = |seed: u64| {
        let memory = memory.clone();
        std::thread::spawn(move || {
            let guard = memory.map(0, 0x4_0000).unwrap();
            for n in 0..5_000_u64 {
                let iova = (n * 7 + seed) % PAGES * PAGE + seed * 8;
                if n % 2 == 0 {
                    memory.write(iova, &n.to_ne_bytes()).unwrap();
                } else {
                    guard.write(iova, &n.to_ne_bytes()).unwrap();
                }
            }
        })
    };
    let workers = [worker(0), worker(1), worker(2)];
    let copy = files::memory(PAGES * PAGE);
    let mut page = [0; 4096];
    loop {
        let done = workers.iter().all(std::thread::JoinHandle::is_finished);
        for n in client.report(0, PAGES * PAGE, PAGE) {
            file.read_exact_at(&mut page, n * PAGE).unwrap();
            copy.write_all_at(&page, n * PAGE).unwrap();
        }
        if done {
            break;
        }
    }
    for worker in workers {
        worker.join().unwrap();
    }
    let all = |file: &File| {
        let mut bytes = vec![0; 0x4_0000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    assert!(all(&file) == all(&copy));
}

#[test]
fn a_client_may_say_what_it_stops() {
    let (_running, mut client, _memory) = setup();
    let control = wire::longs(&[PAGE, 0]);
    client.feature(24, feature::SET | feature::START, &control).ok();
    let stopped = client.feature(24, feature::SET | feature::STOP, &control).ok();
    assert_eq!(stopped[8..], control, "it is repeated");
}

/// However much was written, what is done about it takes turns with other devices of the thread.
#[test]
fn other_devices_are_served_while_a_report_is_made() {
    const SIZE: u64 = 1 << 38;
    // The log of 2^26 pages has 2^20 words. A slice of it is a small part of that.
    const TURNS: u32 = 64;
    let mut ram = Some(Ram::new());
    let memory = ram.as_ref().unwrap().dma().for_session();
    let mut server = Server::new().unwrap();
    let [(a, a_end), (b, b_end)] = [(); 2].map(|()| UnixStream::pair().unwrap());
    let ram = move || Ok(Box::new(ram.take().expect("one")) as Box<dyn Function>);
    server.add_function(Socket::from_stream(a_end).unwrap(), ram).unwrap();
    server.add(Socket::from_stream(b_end).unwrap(), Puppet::factory(|_| {})).unwrap();
    let [client, other] = [a, b].map(RawClient::new);
    for client in [&client, &other] {
        client.send(&wire::message(1, command::VERSION, 0, &wire::version(0, "{}")), &[]);
        settle(&mut server);
        client.answer_to(1, command::VERSION).ok();
    }
    let file = files::memory(SIZE);
    let map = wire::dma_map(dma::BOTH, 0, 0, SIZE);
    client.send(&wire::message(2, command::DMA_MAP, 0, &map), &[file.as_fd()]);
    settle(&mut server);
    client.answer_to(2, command::DMA_MAP).ok();
    let feature = |argsz: u32, flags: u32, data: &[u64]| {
        [wire::words(&[argsz, flags]), wire::longs(data)].concat()
    };
    let start = feature(24, feature::SET | feature::START, &[PAGE, 0]);
    let stop = feature(8, feature::SET | feature::STOP, &[]);
    let bytes = usize::try_from(SIZE >> 21 >> 3).unwrap();
    let argsz = u32::try_from(32 + bytes).unwrap();
    let report = feature(argsz, feature::GET | feature::REPORT, &[0, SIZE, 1 << 21]);
    let mut ask = |command, payload: &[u8]| {
        let (turns, answer) = turns_of(&mut server, &client, &other, command, payload);
        (turns, answer.ok())
    };
    ask(command::FEATURE, &start);
    memory.mark_dirty(0, SIZE);
    let (turns, bitmap) = ask(command::FEATURE, &report);
    assert!(turns >= TURNS, "{turns} turns for a report");
    assert!(bitmap[32..].iter().all(|byte| *byte == 0xff) && bitmap.len() == 32 + bytes);
    let (turns, bitmap) = ask(command::FEATURE, &report);
    assert!(turns < 4 && bitmap[32..].iter().all(|byte| *byte == 0), "{turns} turns for nothing");
    // What is left from the last time is forgotten in the same way.
    memory.mark_dirty(0, SIZE);
    ask(command::FEATURE, &stop);
    let (turns, _) = ask(command::FEATURE, &start);
    assert!(turns >= TURNS, "{turns} turns to begin");
    let (_, bitmap) = ask(command::FEATURE, &report);
    assert!(bitmap[32..].iter().all(|byte| *byte == 0), "all is forgotten");
    // And what was written of memory that is unmapped is gone through so as well.
    memory.mark_dirty(0, SIZE);
    let argsz = u32::try_from(24 + 16 + bytes).unwrap();
    let head = wire::words(&[argsz, dma::UNMAP_DIRTY]);
    let unmap = [head, wire::longs(&[0, SIZE, 1 << 21, bytes as u64])].concat();
    let (turns, bitmap) = ask(command::DMA_UNMAP, &unmap);
    assert!(turns >= TURNS, "{turns} turns for an unmap");
    assert!(bitmap[40..].iter().all(|byte| *byte == 0xff) && bitmap.len() == 40 + bytes);
}
