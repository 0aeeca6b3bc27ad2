//! Transfers between files of the device and memory of the client that are under way.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use nix::libc;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use vfio_user::{
    DmaError, DmaGuard, FileQueue, FileQueueError, FileQueueFull, FileTransferError, SessionDma,
};
use vfio_user_tests::files;
use vfio_user_tests::wire::{self, command, dma};

use super::file_transfers::{FILE_IO, LEN, MAPPED, MESSAGES, PAGE, disk, setup};
use super::held;

const MOMENT: Duration = Duration::from_millis(100);

type Finished<T> = (T, Result<(), FileTransferError>);

fn queue<T: 'static>(file: &File, depth: u16) -> FileQueue<T> {
    FileQueue::new(&[file], depth).unwrap()
}

/// Waits for all transfers.
fn finish<T: 'static>(queue: &mut FileQueue<T>) -> Vec<Finished<T>> {
    std::iter::from_fn(|| queue.wait().unwrap()).collect()
}

fn memory_error(result: Result<(), FileTransferError>) -> DmaError {
    match result {
        Err(FileTransferError::Memory(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_fill_memory_of_every_kind_and_are_filled_from_it() {
    let setup = setup();
    let (source, pattern) = disk(9 * LEN);
    let target = tempfile::tempfile().unwrap();
    let mut queue = FileQueue::new(&[&source, &target], 8).unwrap();
    queue.read(0, 5, setup.pages(), 'a').unwrap();
    for (number, (iova, tag)) in (4..).zip(MAPPED.into_iter().zip(['b', 'c'])) {
        let held = setup.dma.map_writable(iova + 8, LEN - 8).unwrap();
        assert!(finish(&mut queue).into_iter().all(|(_, done)| done.is_ok()));
        queue.read(0, number * PAGE, held, tag).unwrap();
    }
    let done = finish(&mut queue);
    assert!(matches!(done[..], [('c', Ok(()))]), "{done:?}");
    assert!(setup.page(0)[8..] == pattern[4 * LEN..][..LEN - 8]);
    assert!(setup.page(1)[8..] == pattern[5 * LEN..][..LEN - 8]);
    assert!(setup.page(2) == pattern[5 + 3 * LEN..][..LEN]);

    queue.write(1, 3, setup.pages(), 'd').unwrap();
    assert!(matches!(finish(&mut queue)[..], [('d', Ok(()))]));
    queue.sync(1, 'e').unwrap();
    assert!(matches!(finish(&mut queue)[..], [('e', Ok(()))]));
    let mut written = vec![0; 4 * LEN];
    target.read_exact_at(&mut written, 3).unwrap();
    assert!(written[..LEN] == setup.page(1) && written[2 * LEN..3 * LEN] == setup.page(0));
    assert!(setup.finish().page == pattern[5 + LEN..][..LEN]);
}

#[test]
fn a_queue_that_is_full_returns_the_memory_until_a_transfer_is_taken() {
    let setup = setup();
    let (disk, _) = disk(LEN);
    let mut queue = queue(&disk, 2);
    let held = || setup.dma.map(MAPPED[0], 16).unwrap();
    for tag in 0..2 {
        assert_eq!(queue.room(), 2 - tag);
        queue.read(0, 0, held(), tag).unwrap();
    }
    let FileQueueFull { guard, tag } = queue.write(0, 0, held(), 7).unwrap_err();
    assert_eq!((guard.map(|guard| guard.len()), tag), (Some(16), 7));
    assert!(queue.sync(0, 8).unwrap_err().guard.is_none());
    queue.submit().unwrap();
    assert!(files::is_readable(&queue, vfio_user_tests::PATIENCE), "the descriptor of the queue");
    assert_eq!(queue.room(), 0, "they have finished, and are not taken");
    assert!(queue.take_finished().unwrap().1.is_ok());
    queue.sync(0, 9).unwrap();
    assert_eq!(finish(&mut queue).len(), 2);
    assert!(!files::is_readable(&queue, Duration::ZERO));
    assert_eq!(queue.room(), 2);
}

/// Also one that the call which prepares it has done, and one that it refuses.
#[test]
fn every_transfer_that_finishes_makes_the_descriptor_readable() {
    let setup = setup();
    let (disk, _) = disk(LEN);
    let mut queue = queue(&disk, 1);
    let done = setup.dma.map_writable(FILE_IO, LEN).unwrap();
    let refused = setup.dma.map_readable(MAPPED[0], LEN).unwrap();
    for (held, is_ok) in [(done, true), (refused, false)] {
        queue.read(0, 0, held, ()).unwrap();
        assert_eq!(queue.room(), 0);
        queue.submit().unwrap();
        assert!(files::is_readable(&queue, vfio_user_tests::PATIENCE));
        assert_eq!(queue.take_finished().unwrap().1.is_ok(), is_ok);
        assert_eq!(queue.room(), 1);
        assert!(!files::is_readable(&queue, Duration::ZERO));
    }
}

#[test]
fn a_file_that_ends_too_early_is_an_error_of_the_file() {
    let setup = setup();
    let (disk, pattern) = disk(LEN + 100);
    let mut queue = queue(&disk, 4);
    for iova in [MAPPED[0], FILE_IO] {
        queue.read(0, 200, setup.dma.map_writable(iova, LEN).unwrap(), ()).unwrap();
        let ((), done) = queue.wait().unwrap().unwrap();
        let Err(FileTransferError::File { position, source }) = done else { panic!("{done:?}") };
        assert_eq!((position, source.kind()), (4196, io::ErrorKind::UnexpectedEof));
    }
    assert!(setup.page(0)[..LEN - 100] == pattern[200..]);
    for position in [u64::MAX, i64::MAX as u64] {
        queue.read(0, position, setup.dma.map(MAPPED[0], LEN).unwrap(), ()).unwrap();
        let ((), done) = queue.wait().unwrap().unwrap();
        assert!(matches!(done, Err(FileTransferError::File { .. })), "{done:?}");
    }
    queue.read(0, 0, DmaGuard::from_iter([]), ()).unwrap();
    assert!(queue.wait().unwrap().unwrap().1.is_ok(), "nothing is to be read");
    let read_only = File::open("/proc/self/exe").unwrap();
    let mut queue = FileQueue::new(&[read_only], 4).unwrap();
    queue.write(0, 0, setup.dma.map(MAPPED[0], LEN).unwrap(), ()).unwrap();
    let ((), done) = queue.wait().unwrap().unwrap();
    assert!(matches!(done, Err(FileTransferError::File { position: 0, .. })), "{done:?}");
}

#[test]
fn memory_that_may_not_be_accessed_is_an_error_of_memory() {
    let setup = setup();
    let (disk, _) = disk(LEN);
    let mut queue = queue(&disk, 4);
    for iova in [MAPPED[0], FILE_IO, MESSAGES] {
        queue.read(0, 0, setup.dma.map_readable(iova, LEN).unwrap(), ()).unwrap();
        let refused = memory_error(queue.wait().unwrap().unwrap().1);
        assert!(matches!(refused, DmaError::NotWritable { .. }));
        queue.write(0, 0, setup.dma.map_writable(iova, LEN).unwrap(), ()).unwrap();
        let refused = memory_error(queue.wait().unwrap().unwrap().1);
        assert!(matches!(refused, DmaError::NotReadable { .. }));
    }
    let held = || setup.dma.map(MAPPED[0], LEN).unwrap();
    queue.read(0, 0, held(), ()).unwrap();
    queue.write(0, 0, held(), ()).unwrap();
    // They are prepared, and the kernel finds no memory.
    setup.memory.set_len(0).unwrap();
    for ((), done) in finish(&mut queue) {
        assert!(matches!(memory_error(done), DmaError::Lost { .. }));
    }
}

#[test]
fn an_unmap_and_a_reset_wait_for_transfers() {
    let (_running, mut client, memory, file) = held::setup(4);
    held::map(&mut client, dma::BOTH, 0, 0, 4 * PAGE, &file);
    let (disk, pattern) = disk(4 * LEN);
    let mut queue = queue(&disk, 4);
    queue.read(0, 0, memory.map_writable(0, 4 * LEN).unwrap(), ()).unwrap();
    let unmap = wire::dma_unmap(0, 0, 4 * PAGE);
    client.send(&wire::message(7, command::DMA_UNMAP, 0, &unmap), &[]);
    assert!(!client.has_message(MOMENT));
    queue.submit().unwrap();
    assert!(!client.has_message(MOMENT), "it may have finished, and is not taken");
    assert!(queue.wait().unwrap().unwrap().1.is_ok());
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
    let mut read = vec![0; 4 * LEN];
    file.read_exact_at(&mut read, 0).unwrap();
    assert!(read == pattern, "what was under way is done");

    held::map(&mut client, dma::BOTH, 0, 0, 4 * PAGE, &file);
    queue.read(0, 0, memory.map_writable(0, LEN).unwrap(), ()).unwrap();
    client.send(&wire::message(8, command::RESET, 0, &[]), &[]);
    assert!(!client.has_message(MOMENT));
    drop(queue);
    assert_eq!(client.answer_to(8, command::RESET).errno(), None);
}

#[test]
fn a_transfer_whose_client_has_left_is_interrupted() {
    let (_running, mut client, memory, file) = held::setup(4);
    held::map(&mut client, dma::BOTH, 0, 0, 4 * PAGE, &file);
    let (disk, _) = disk(4 * LEN);
    let mut queue = queue(&disk, 4);
    queue.read(0, 0, memory.map_writable(0, LEN).unwrap(), ()).unwrap();
    drop(client);
    while memory.map(0, 1).is_ok() {
        thread::yield_now();
    }
    let ((), done) = queue.wait().unwrap().unwrap();
    assert!(done.unwrap_err().is_interruption());
    while files::count_mappings(&file) > 0 {
        thread::yield_now();
    }
}

/// A transfer of the random test: in which lane, whether it is a read, where in the file of the
/// lane, and the ranges in its memory.
type Random = (usize, bool, u64, Vec<(u64, usize)>);

const LANES: usize = 32;
/// Bytes of a lane, in the file and in memory.
const LANE: usize = 3 * LEN;

fn random() -> impl Strategy<Value = Random> {
    let range = (0..LANE as u64 - 600, 1..600_usize);
    (0..LANES, any::<bool>(), 0..LANE as u64 / 2, prop::collection::vec(range, 1..10))
}

/// What the bytes should be.
struct Model {
    disk: Vec<u8>,
    memory: Vec<u8>,
}

impl Model {
    fn apply(&mut self, (lane, is_read, at, ranges): &Random) {
        let start = lane * LANE;
        let mut at = start + usize::try_from(*at).unwrap();
        for (offset, len) in ranges {
            let offset = start + usize::try_from(*offset).unwrap();
            let (disk, memory) = (&mut self.disk[at..][..*len], &mut self.memory[offset..][..*len]);
            if *is_read {
                memory.copy_from_slice(disk);
            } else {
                disk.copy_from_slice(memory);
            }
            at += len;
        }
    }
}

/// Ranges that overlap have no order in a read, so only one of each group stays.
fn without_overlaps(mut ranges: Vec<(u64, usize)>) -> Vec<(u64, usize)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, one| next.0 < one.0 + one.1 as u64);
    ranges.reverse();
    ranges
}

fn guard(memory: &SessionDma, lane: usize, ranges: &[(u64, usize)]) -> DmaGuard {
    let start = (lane * LANE) as u64;
    ranges.iter().map(|(offset, len)| memory.map(start + offset, *len).unwrap()).collect()
}

#[test]
fn thousands_of_transfers_move_what_a_model_moves() {
    let (_running, mut client, memory, file) = held::setup(96);
    for region in 0..6 {
        let (offset, size) = (region * 16 * PAGE, 16 * PAGE);
        held::map(&mut client, dma::BOTH, offset, offset, size, &file);
    }
    let (disk, pattern) = disk(LANES * LANE);
    let mut model = Model { disk: pattern, memory: vec![0; LANES * LANE] };
    file.read_exact_at(&mut model.memory, 0).unwrap();
    let (mut queue, mut runner) = (queue(&disk, 32), TestRunner::deterministic());
    let (mut is_busy, mut most, mut count) = ([false; LANES], 0, 0);
    while count < 5000 {
        let (lane, is_read, at, ranges) = random().new_tree(&mut runner).unwrap().current();
        while is_busy[lane] || queue.room() == 0 {
            let (transfer, done): Finished<Random> = queue.wait().unwrap().unwrap();
            done.unwrap();
            is_busy[transfer.0] = false;
            model.apply(&transfer);
        }
        let ranges = without_overlaps(ranges);
        let held = guard(&memory, lane, &ranges);
        is_busy[lane] = true;
        let transfer = (lane, is_read, at, ranges);
        let started = if is_read {
            queue.read(0, (lane * LANE) as u64 + at, held, transfer)
        } else {
            queue.write(0, (lane * LANE) as u64 + at, held, transfer)
        };
        started.unwrap();
        count += 1;
        if count % 3 == 0 {
            queue.submit().unwrap();
        }
        most = most.max(32 - queue.room());
    }
    for (transfer, done) in finish(&mut queue) {
        done.unwrap();
        model.apply(&transfer);
    }
    assert!(most > 4, "{most} at a time");
    let mut bytes = vec![0; LANES * LANE];
    disk.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes == model.disk, "the file");
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes == model.memory, "the memory");
}

#[test]
fn files_that_could_be_waited_for_for_ever_are_refused() {
    let refused = |file: &dyn AsFd| FileQueue::<()>::new(&[file.as_fd()], 1).unwrap_err();
    let (pipe, _writer) = files::new_pipe();
    let (socket, _other) = UnixStream::pair().unwrap();
    for file in [&pipe as &dyn AsFd, &socket, &File::open("/dev/zero").unwrap()] {
        let error = refused(file);
        assert!(matches!(error, FileQueueError::NotAFile { index: 0 }), "{error:?}");
    }
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open("/proc/self/exe").unwrap();
    assert!(matches!(refused(&file), FileQueueError::NonBlocking { index: 0 }));
    let (disk, _) = disk(1);
    for depth in [0, 4097] {
        let error = FileQueue::<()>::new(&[&disk], depth).unwrap_err();
        assert!(matches!(error, FileQueueError::Depth { .. }));
    }
    FileQueue::<()>::new(&[&disk], 4096).unwrap();
    let error = FileQueue::<()>::new(&[] as &[File], 1).unwrap_err();
    assert!(matches!(error, FileQueueError::NoFiles));
}

/// On a thread where a system call fails.
fn refused_by(call: libc::c_long, errno: i32) -> FileQueueError {
    let refused = thread::spawn(move || {
        let rules = [(call, Vec::new())].into_iter().collect();
        let error = SeccompAction::Errno(errno.cast_unsigned());
        let processor = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, error, processor).unwrap();
        apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        FileQueue::<()>::new(&[disk(1).0], 1).unwrap_err()
    });
    refused.join().unwrap()
}

#[test]
fn a_kernel_without_io_uring_is_an_error_that_says_so() {
    let old = refused_by(libc::SYS_io_uring_setup, libc::ENOSYS);
    assert!(matches!(old, FileQueueError::Unsupported(_)));
    assert!(old.to_string().starts_with("the kernel has no io_uring as of Linux 5.10"), "{old}");
    let disabled = refused_by(libc::SYS_io_uring_setup, libc::EPERM);
    assert!(matches!(disabled, FileQueueError::Denied(_)));
    assert!(disabled.to_string().contains("kernel.io_uring_disabled"), "{disabled}");
    let lacking = refused_by(libc::SYS_io_uring_setup, libc::ENOMEM);
    assert!(matches!(lacking, FileQueueError::System(_)));
}

#[test]
fn a_call_for_a_file_that_fails_is_an_error_that_names_the_file() {
    let error = refused_by(libc::SYS_fcntl, libc::EMFILE);
    let FileQueueError::File { index: 0, source } = &error else { panic!("{error:?}") };
    assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
    assert_eq!(error.to_string(), "file 0 could not be used");
}
