//! Memory in the hands of the device's threads: accesses, guards, and what unmaps do to them.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use vfio_user::function::Function;
use vfio_user::{Cx, Device, DmaError, DmaGuard, PciDevice, Server, SessionDma, Socket};
use vfio_user_tests::files;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::stepped::{serve_while, settle};
use vfio_user_tests::wire::{self, command, dma, errno};

pub(super) const PAGE: u64 = 0x1000;
/// Long enough for an answer that should not come.
const MOMENT: Duration = Duration::from_millis(100);

/// A function's memory, a client of it, and a file of `pages` pages, each byte of which is the
/// number of its page.
pub(super) fn setup(pages: u8) -> (Running, RawClient, SessionDma, File) {
    let ram = Ram::new();
    let memory = ram.dma().for_session();
    let (running, client) = serve::function(ram);
    let file = files::memory(u64::from(pages) * PAGE);
    for page in 0..pages {
        file.write_all_at(&[page; 0x1000], u64::from(page) * PAGE).unwrap();
    }
    (running, client, memory, file)
}

#[track_caller]
pub(super) fn map(
    client: &mut RawClient,
    flags: u32,
    offset: u64,
    iova: u64,
    size: u64,
    file: &File,
) {
    client.dma_map(flags, offset, iova, size, Some(file.as_fd())).ok();
}

/// Asks for an unmap, which is not answered yet.
fn begin_unmap(client: &RawClient, iova: u64, size: u64) {
    let unmap = wire::dma_unmap(0, iova, size);
    client.send(&wire::message(7, command::DMA_UNMAP, 0, &unmap), &[]);
}

#[track_caller]
pub(super) fn is_unmapped<T>(result: &Result<T, DmaError>) -> bool {
    matches!(result, Err(DmaError::Unmapped { .. }))
}

#[test]
fn an_unmap_waits_for_guards_of_its_range_and_for_no_others() {
    let (_running, mut client, memory, file) = setup(4);
    let other = files::memory(PAGE);
    map(&mut client, dma::BOTH, PAGE, 0, 2 * PAGE, &file);
    map(&mut client, dma::BOTH, 0, 8 * PAGE, PAGE, &other);
    let guard = memory.map(PAGE, 16).unwrap();
    let another = guard.clone();
    let elsewhere = memory.map(8 * PAGE, 16).unwrap();
    begin_unmap(&client, 0, 2 * PAGE);
    assert!(!client.has_message(MOMENT));
    let mut byte = [0];
    assert!(is_unmapped(&memory.read(0, &mut byte)), "no access begins any more");
    assert!(is_unmapped(&memory.map(PAGE, 1)));
    memory.write(8 * PAGE, &[1]).expect("of another range");
    guard.read(0, &mut byte).unwrap();
    assert_eq!(byte, [2], "the memory is there");
    guard.write(15, &[9]).unwrap();
    drop(guard);
    assert!(!client.has_message(MOMENT), "a clone holds it as well");
    drop(another);
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
    assert_eq!(files::count_mappings(&file), 0, "gone before the reply");
    file.read_exact_at(&mut byte, 2 * PAGE + 15).unwrap();
    assert_eq!(byte, [9]);
    drop(elsewhere);
}

/// A client need not wait for one unmap before it asks for the next.
#[test]
fn requests_that_wait_one_behind_the_other_wait_each_for_its_own_memory() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut server = Server::new().unwrap();
    let ram = Ram::new();
    let memory = ram.dma().for_session();
    let mut ram = Some(ram);
    let factory = move || Ok(Box::new(ram.take().expect("one device")) as Box<dyn Function>);
    server.add_function(Socket::from_stream(theirs).unwrap(), factory).unwrap();
    let mut client = RawClient::new(ours);
    let client = serve_while(&mut server, move || {
        client.negotiate();
        for page in 0..3 {
            map(&mut client, dma::BOTH, 0, page * PAGE, PAGE, &files::memory(PAGE));
        }
        client
    });
    let guards = [0, 1, 2].map(|page| memory.map(page * PAGE, 16).unwrap());
    let unmap = |page: u16| {
        let unmap = wire::dma_unmap(0, u64::from(page) * PAGE, PAGE);
        wire::message(page + 1, command::DMA_UNMAP, 0, &unmap)
    };
    client.send(&[unmap(0), unmap(1), unmap(2)].concat(), &[]);
    settle(&mut server);
    for (id, guard) in (1..).zip(guards) {
        assert!(!client.has_message(Duration::ZERO));
        drop(guard);
        // It is over although the next request waits: nothing that has happened is ready for ever.
        settle(&mut server);
        assert_eq!(client.answer_to(id, command::DMA_UNMAP).errno(), None);
    }
}

#[test]
fn memory_that_is_held_too_long_is_not_unmapped_and_not_reused() {
    let (_running, mut client, memory, file) = setup(2);
    map(&mut client, dma::BOTH, 0, 0, PAGE, &file);
    let guard = memory.region(0x800).unwrap();
    assert_eq!(client.dma_unmap(0, 0, PAGE), Err(errno::EBUSY));
    let mut byte = [7];
    assert!(is_unmapped(&memory.read(0, &mut byte)));
    guard.read(0, &mut byte).unwrap();
    assert_eq!(byte, [0], "still there");
    let again = client.dma_map(dma::BOTH, PAGE, 0, PAGE, Some(file.as_fd()));
    again.fails_with(errno::EBUSY);
    assert_eq!(client.dma_unmap(0, 0, PAGE), Err(errno::EBUSY));
    assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Err(errno::EBUSY));
    map(&mut client, dma::BOTH, PAGE, PAGE, PAGE, &file);
    assert_eq!(client.dma_unmap(0, PAGE, PAGE), Ok(()), "next to it");
    drop(guard);
    assert_eq!(files::count_mappings(&file), 0);
    assert_eq!(client.dma_unmap(0, 0, PAGE), Ok(()));
    map(&mut client, dma::BOTH, PAGE, 0, PAGE, &file);
    memory.read(0, &mut byte).unwrap();
    assert_eq!(byte, [1]);
}

#[test]
fn what_is_held_of_one_client_does_not_disturb_the_next() {
    let ram = Ram::new();
    let memory = ram.dma().for_session();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let mut ram = Some(ram);
    let _running = Running::start(Server::bind(&path).unwrap(), move |server| {
        server.serve_functions(move || Ok(Box::new(ram.take().expect("no panic"))))
    });
    let [first, second] = [files::memory(PAGE), files::memory(PAGE)];
    let mut client = RawClient::connect(&path);
    client.negotiate();
    map(&mut client, dma::BOTH, 0, 0, PAGE, &first);
    let guard = memory.map(0, 8).unwrap();
    drop(client);
    let mut client = RawClient::connect(&path);
    client.negotiate();
    map(&mut client, dma::BOTH, 0, 0, PAGE, &second);
    for written in [memory.write(0, b"new"), guard.write(0, b"old")] {
        assert!(matches!(written, Err(DmaError::SessionEnded { .. })), "{written:?}");
    }
    for file in [&first, &second] {
        let mut bytes = [9; 3];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [0; 3]);
    }
    assert_eq!(files::count_mappings(&first), 1, "the guard keeps it");
    drop(guard);
    assert_eq!(files::count_mappings(&first), 0);
    assert_eq!(client.dma_unmap(0, 0, PAGE), Ok(()));
}

#[test]
fn objects_fills_and_long_accesses_span_regions() {
    let (_running, mut client, memory, file) = setup(4);
    let [large, larger] = [files::memory(1 << 20), files::memory(1 << 20)];
    map(&mut client, dma::BOTH, 0, 0, 1 << 20, &large);
    map(&mut client, dma::BOTH | dma::FILE_IO, 0, 1 << 20, 1 << 20, &larger);
    memory.write_obj((1 << 20) - 4, &0x1122_3344_5566_7788_u64.to_le_bytes()).unwrap();
    assert_eq!(memory.read_obj::<u32>(1 << 20).unwrap(), 0x1122_3344);
    memory.fill((1 << 20) - 5000, 10000, 0xa5).unwrap();
    let mut bytes = vec![0; 2 << 20];
    memory.read(0, &mut bytes).unwrap();
    let filled = (1 << 20) - 5000..(1 << 20) + 5000;
    assert!(bytes[filled.clone()].iter().all(|byte| *byte == 0xa5));
    assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), filled.len());
    for byte in &mut bytes {
        *byte ^= 0xff;
    }
    memory.write(0, &bytes).unwrap();
    let mut back = vec![0; 2 << 20];
    memory.read(0, &mut back).unwrap();
    assert!(back == bytes);
    assert!(is_unmapped(&memory.write(1, &back)), "one byte too many");
    assert!(is_unmapped(&memory.fill(2 << 20, 1, 0)));
    memory.fill(5 << 20, 0, 0).expect("nothing, nowhere");
    map(&mut client, dma::READ, 0, 2 << 20, PAGE, &file);
    assert!(matches!(memory.fill((2 << 20) - 1, 2, 0), Err(DmaError::NotWritable { .. })));
    assert_eq!(
        memory.read_obj::<u8>((2 << 20) - 1).unwrap(),
        back[back.len() - 1],
        "all or nothing"
    );
}

#[test]
fn the_memory_table_says_where_everything_is() {
    let (_running, mut client, memory, file) = setup(4);
    assert!(memory.regions().is_empty());
    map(&mut client, dma::BOTH, 2 * PAGE, 8 * PAGE, 2 * PAGE, &file);
    map(&mut client, dma::READ | dma::FILE_IO, PAGE, 0x100, 0x800, &file);
    client.dma_map(dma::WRITE, 0, 1 << 40, 1 << 40, None).ok();
    let regions = memory.regions();
    let places: Vec<_> = regions.iter().map(|region| (region.iova(), region.len())).collect();
    assert_eq!(places, [(0x100, 0x800), (8 * PAGE, 2 * PAGE), (1 << 40, 1 << 40)]);
    let rights: Vec<_> =
        regions.iter().map(|region| (region.is_readable(), region.is_writable())).collect();
    assert_eq!(rights, [(true, false), (true, true), (false, true)]);
    let mapped: Vec<_> = regions.iter().map(|region| region.address().is_some()).collect();
    assert_eq!(mapped, [false, true, false]);
    let offsets: Vec<_> = regions.iter().map(|region| region.file().map(|file| file.1)).collect();
    assert_eq!(offsets, [Some(PAGE), Some(2 * PAGE), None]);
    let (fd, _) = regions[1].file().unwrap();
    let through = File::open(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
    let mut byte = [0];
    through.read_exact_at(&mut byte, 3 * PAGE).unwrap();
    assert_eq!(byte, [3], "the client's file");
    let region = memory.region(9 * PAGE).unwrap();
    assert_eq!(region.iova(), 8 * PAGE);
    assert_eq!(region.address(), regions[1].address());
    assert!(memory.region(0x900).is_none());
    let pieces: Vec<_> = memory.segments(9 * PAGE + 8, 16).unwrap().collect();
    assert_eq!((pieces.len(), pieces[0].iova(), pieces[0].len()), (1, 9 * PAGE + 8, 16));
    let ahead = pieces[0].address().unwrap().addr().get() - region.address().unwrap().addr().get();
    assert_eq!(ahead as u64, PAGE + 8);
    assert_eq!(pieces[0].file().unwrap().1, 3 * PAGE + 8);
    assert!(
        memory.map_writable(1 << 40, 8).unwrap().segments()[0].address().is_none(),
        "the client has to be asked"
    );
}

#[test]
fn a_guard_stays_inside_what_it_holds() {
    let (_running, mut client, memory, file) = setup(4);
    map(&mut client, dma::BOTH, 2 * PAGE, 0, PAGE, &file);
    map(&mut client, dma::READ, 0, PAGE, PAGE, &file);
    let guard = memory.map_readable(PAGE - 8, 16).unwrap();
    assert_eq!(guard.segments().len(), 2);
    let mut bytes = [9; 16];
    guard.read(0, &mut bytes).unwrap();
    assert_eq!(bytes, [[2; 8], [0; 8]].concat()[..]);
    memory.map_writable(PAGE - 8, 8).unwrap().write(3, &[5; 5]).unwrap();
    guard.read(1, &mut bytes[..8]).unwrap();
    assert_eq!(bytes[..8], [2, 2, 5, 5, 5, 5, 5, 0]);
    let written = guard.write(4, &[5; 5]);
    assert!(matches!(written, Err(DmaError::NotWritable { .. })), "it was taken to be read");
    for (offset, len) in [(0, 17), (16, 1), (u64::MAX, 1), (u64::MAX, 0), (17, 0)] {
        let outside = guard.read(offset, &mut vec![0; len]);
        assert!(matches!(outside, Err(DmaError::Outside { .. })), "{offset}+{len}");
        let outside = guard.segments()[0].write(offset, &vec![0; len]);
        assert!(matches!(outside, Err(DmaError::Outside { .. })), "{offset}+{len}");
    }
    guard.read(16, &mut []).expect("nothing, at the end");
    assert!(memory.map(0, 0).unwrap().is_empty());
}

/// In one region, and across two.
#[test]
fn an_access_of_no_bytes_succeeds_whatever_a_guard_was_taken_for() {
    let (_running, mut client, memory, file) = setup(4);
    map(&mut client, dma::BOTH, 0, 0, PAGE, &file);
    map(&mut client, dma::BOTH, 2 * PAGE, PAGE, PAGE, &file);
    for len in [8, 16] {
        let read = memory.map_readable(PAGE - 8, len).unwrap();
        let write = memory.map_writable(PAGE - 8, len).unwrap();
        assert_eq!(read.segments().len(), len / 8);
        for offset in [0, len as u64] {
            read.write(offset, &[]).unwrap();
            read.publish(offset, &[]).unwrap();
            write.read(offset, &mut []).unwrap();
        }
        let outside = read.write(len as u64 + 1, &[]);
        assert!(matches!(outside, Err(DmaError::Outside { .. })), "{outside:?}");
    }
}

#[test]
fn rights_are_checked_when_a_guard_is_taken_for_all_of_its_range() {
    let (_running, mut client, memory, file) = setup(4);
    // Read and write, read, write, and the same by file I/O and by messages.
    let rights = [dma::BOTH, dma::READ, dma::WRITE];
    for (n, rights) in (0..).zip(rights) {
        map(&mut client, rights, 0, n * 2 * PAGE, PAGE, &file);
        map(&mut client, rights | dma::FILE_IO, 0, (n + 8) * 2 * PAGE, PAGE, &file);
        client.dma_map(rights, 0, (n + 16) * 2 * PAGE, PAGE, None).ok();
    }
    // Of which only the last page is not like the first.
    map(&mut client, dma::BOTH, PAGE, 0x10_0000, PAGE, &file);
    map(&mut client, dma::READ, PAGE, 0x10_1000, PAGE, &file);
    map(&mut client, dma::WRITE, PAGE, 0x20_1000, PAGE, &file);
    map(&mut client, dma::BOTH, PAGE, 0x20_0000, PAGE, &file);
    let not_readable = |error: &DmaError| matches!(error, DmaError::NotReadable { .. });
    let not_writable = |error: &DmaError| matches!(error, DmaError::NotWritable { .. });
    for kind in [0, 8, 16] {
        let [both, read, write] = [0, 1, 2].map(|n| (kind + n) * 2 * PAGE);
        for iova in [both, read] {
            assert!(memory.map_readable(iova, 8).is_ok());
        }
        for iova in [both, write] {
            assert!(memory.map_writable(iova, 8).is_ok());
        }
        assert!(memory.map(both, 8).is_ok());
        assert!(memory.map_readable(write, 8).is_err_and(|error| not_readable(&error)));
        assert!(memory.map_writable(read, 8).is_err_and(|error| not_writable(&error)));
        assert!(memory.map(read, 8).is_err_and(|error| not_writable(&error)));
        assert!(memory.map(write, 8).is_err_and(|error| not_readable(&error)));
    }
    let across = 2 * 0x1000;
    let refused = memory.map_writable(0x10_0000, across);
    assert!(matches!(refused, Err(DmaError::NotWritable { iova: 0x10_1000 })), "{refused:?}");
    let refused = memory.map_readable(0x20_0000, across);
    assert!(matches!(refused, Err(DmaError::NotReadable { iova: 0x20_1000 })), "{refused:?}");
    assert!(memory.map_readable(0x10_0000, across).is_ok());
    assert!(memory.map_writable(0x20_0000, across).is_ok());
}

#[test]
fn a_guard_does_what_it_was_taken_for() {
    let (_running, mut client, memory, file) = setup(1);
    map(&mut client, dma::BOTH, 0, 0, PAGE, &file);
    let [read, write] = [memory.map_readable(0, 16).unwrap(), memory.map_writable(0, 16).unwrap()];
    let swap =
        |held: &DmaGuard| held.segments()[0].atomic(0, |word: &AtomicU32| word.swap(1, SeqCst));
    assert!(matches!(read.write(0, &[1]), Err(DmaError::NotWritable { .. })));
    assert!(matches!(read.segments()[0].store(0, 1_u8), Err(DmaError::NotWritable { .. })));
    assert!(matches!(swap(&read), Err(DmaError::NotWritable { .. })));
    assert!(matches!(write.read(0, &mut [0]), Err(DmaError::NotReadable { .. })));
    assert!(matches!(write.segments()[0].load::<u8>(0), Err(DmaError::NotReadable { .. })));
    assert!(matches!(swap(&write), Err(DmaError::NotReadable { .. })));
    assert_eq!((read.segments()[0].is_readable(), read.segments()[0].is_writable()), (true, false));
    assert_eq!(
        (write.segments()[0].is_readable(), write.segments()[0].is_writable()),
        (false, true)
    );
    write.write(0, &[9]).unwrap();
    let mut byte = [0];
    read.read(0, &mut byte).unwrap();
    assert_eq!(byte, [9]);
}

#[test]
fn memory_that_is_truncated_under_a_guard_is_an_error_and_no_signal() {
    let (_running, mut client, memory, file) = setup(4);
    map(&mut client, dma::BOTH, 0, 0, 4 * PAGE, &file);
    let guard = memory.map(0, 0x4000).unwrap();
    file.set_len(PAGE).unwrap();
    assert!(matches!(guard.write(3 * PAGE, &[1]), Err(DmaError::Lost { .. })));
    assert!(matches!(guard.segments()[0].load::<u64>(2 * PAGE), Err(DmaError::Lost { .. })));
    assert!(matches!(memory.store(2 * PAGE, 1_u64), Err(DmaError::Lost { .. })));
}

/// Threads copy and hold while the client maps and unmaps; each range is whole or not there.
#[test]
fn accesses_race_with_maps_and_unmaps() {
    let (_running, mut client, memory, file) = setup(16);
    map(&mut client, dma::BOTH, 0, 1 << 30, 16 * PAGE, &file);
    let worker = |seed: u64| {
        let memory = memory.clone();
        std::thread::spawn(move || {
            let mut seen = 0;
            for step in 0..20_000_u64 {
                let page = (step * 7 + seed) % 16;
                let mut bytes = [0xff; 256];
                let read = match step % 3 {
                    0 => memory.map(page * PAGE, 256).and_then(|held| held.read(0, &mut bytes)),
                    _ => memory.read(page * PAGE + step % 100, &mut bytes),
                };
                match read {
                    Ok(()) => assert_eq!(bytes, [page as u8; 256], "{step}"),
                    Err(error) => assert!(is_unmapped(&Err::<(), _>(error))),
                }
                seen += u32::from(bytes[0] != 0xff);
                memory.read((1 << 30) + page * PAGE, &mut bytes).expect("never unmapped");
                assert_eq!(bytes, [page as u8; 256]);
            }
            seen
        })
    };
    let workers = [worker(0), worker(5), worker(11)];
    while !workers.iter().all(std::thread::JoinHandle::is_finished) {
        for page in 0..16 {
            map(&mut client, dma::BOTH, page * PAGE, page * PAGE, PAGE, &file);
        }
        assert_eq!(client.dma_unmap(0, 0, 8 * PAGE), Ok(()));
        assert_eq!(client.dma_unmap(0, 0, 1 << 30), Ok(()));
    }
    let seen = workers.map(|worker| worker.join().unwrap());
    assert!(seen.iter().any(|seen| *seen > 0), "{seen:?}");
}

/// Reports its memory, and releases it on request.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
struct Noting {
    #[migrate(skip)]
    notes: Option<Sender<(&'static str, u64, u64, bool)>>,
    #[migrate(skip)]
    held: Vec<DmaGuard>,
}

impl Noting {
    fn note(&self, what: &'static str, range: &std::ops::RangeInclusive<u64>, reachable: bool) {
        let notes = self.notes.as_ref().expect("the test listens");
        notes.send((what, *range.start(), *range.end(), reachable)).expect("the test listens");
    }
}

impl Device for Noting {
    type Event = ();

    fn dma_mapped(&mut self, cx: &mut Cx<'_, Self>, range: std::ops::RangeInclusive<u64>) {
        let held = cx.dma().map(*range.start(), 1);
        self.note("mapped", &range, held.is_ok());
        self.held.extend(held);
    }

    fn dma_unmapped(&mut self, cx: &mut Cx<'_, Self>, range: std::ops::RangeInclusive<u64>) {
        let reachable = !cx.dma().regions().is_empty();
        self.note("unmapped", &range, reachable);
        self.held.retain(|guard| !range.contains(&guard.segments()[0].iova()));
    }

    fn disconnected(&mut self, cx: &mut Cx<'_, Self>) {
        let reachable = !cx.dma().regions().is_empty();
        self.note("disconnected", &(0..=0), reachable);
    }
}

type Notes = Receiver<(&'static str, u64, u64, bool)>;

#[test]
fn a_device_is_notified_before_its_memory_goes() {
    let (notes, received): (_, Notes) = channel();
    let (running, mut client) =
        serve::over_pair(move || Noting { notes: Some(notes.clone()), held: Vec::new() });
    client.negotiate();
    let file = files::memory(4 * PAGE);
    map(&mut client, dma::BOTH, 0, 0, PAGE, &file);
    map(&mut client, dma::BOTH, 0, 0, PAGE, &file);
    assert_eq!(received.recv().unwrap(), ("mapped", 0, PAGE - 1, true));
    map(&mut client, dma::BOTH, PAGE, u64::MAX - PAGE + 1, PAGE, &file);
    assert_eq!(received.recv().unwrap(), ("mapped", u64::MAX - PAGE + 1, u64::MAX, true));
    assert_eq!(client.dma_unmap(0, 8 * PAGE, PAGE), Ok(()), "nothing there");
    assert_eq!(client.dma_unmap(0, 0, PAGE - 1), Err(errno::EINVAL));
    assert_eq!(client.dma_unmap(0, 0, 2 * PAGE), Ok(()), "it lets go at once");
    assert_eq!(received.recv().unwrap(), ("unmapped", 0, 2 * PAGE - 1, true));
    drop(client);
    running.join().unwrap();
    assert_eq!(received.recv().unwrap(), ("unmapped", 0, u64::MAX, true));
    assert_eq!(received.recv().unwrap(), ("disconnected", 0, 0, false));
    assert!(received.recv().is_err(), "a duplicate is no news");
    assert_eq!(files::count_mappings(&file), 0);
}
