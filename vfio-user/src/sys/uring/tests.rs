//! A ring over mappings of this process.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::*;
use crate::sys::Mapping;

const PAGE: usize = 0x1000;

/// Ranges of a mapping: offset and length.
#[derive(Clone)]
struct Ranges(Arc<Mapping>, Vec<(usize, usize)>);

impl HoldsBytes for Ranges {
    type Error = &'static str;

    fn bytes(&self) -> impl Iterator<Item = Result<SharedBytes<'_>, &'static str>> {
        let Ranges(mapping, ranges) = self;
        ranges.iter().map(|(offset, len)| {
            if *offset == usize::MAX { Err("no memory") } else { Ok(mapping.bytes(*offset, *len)) }
        })
    }
}

fn memory(len: usize) -> (File, Arc<Mapping>) {
    let file = File::from(memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap());
    file.set_len(len as u64).unwrap();
    let mapping = Mapping::new(file.as_fd(), 0, len, PAGE as u64, true).unwrap();
    (file, Arc::new(mapping))
}

fn ring(file: &File, depth: u16) -> Uring<Ranges> {
    Uring::new(&[file.as_fd()], depth).unwrap()
}

/// A file beside the executable: folders for temporary files may have no storage.
fn disk(bytes: &[u8]) -> File {
    let folder = std::env::current_exe().unwrap();
    let disk = tempfile::tempfile_in(folder.parent().unwrap()).unwrap();
    disk.write_all_at(bytes, 0).unwrap();
    disk
}

/// A file whose reads take a while, because the storage has them.
fn uncached(len: usize) -> File {
    let file = disk(&vec![1; len]);
    file.sync_all().unwrap();
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
    file
}

fn at(position: u64) -> FilePosition {
    FilePosition { file: 0, position }
}

fn wait(ring: &mut Uring<Ranges>) -> Finished<Ranges> {
    loop {
        ring.wait().unwrap();
        if let Some(finished) = ring.take_finished() {
            return finished;
        }
    }
}

#[test]
fn what_holds_no_memory_is_returned_and_takes_no_room() {
    let (_, mapping) = memory(PAGE);
    let mut ring = ring(&disk(&[1]), 1);
    let partly = Ranges(mapping, vec![(0, 1), (usize::MAX, 1)]);
    for _ in 0..3 {
        let (held, error) = ring.start(FileOperation::Read, at(0), partly.clone()).unwrap_err();
        assert_eq!((held.1.len(), error, ring.room()), (2, "no memory", 1));
    }
    assert!(ring.is_idle());
}

/// The kernel takes 1024 ranges at a time.
#[test]
fn a_transfer_is_repeated_until_all_ranges_are_moved() {
    let (file, mapping) = memory(PAGE);
    let pattern: Vec<u8> = (0..3000_usize).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut ring = ring(&disk(&pattern), 1);
    let backwards = (0..3000).rev().map(|at| (at, 1)).collect();
    ring.start(FileOperation::Read, at(0), Ranges(mapping, backwards)).map_err(|_| ()).unwrap();
    let done = wait(&mut ring);
    done.result.unwrap();
    assert_eq!(done.position, 3000);
    let mut read = vec![0; 3000];
    file.read_exact_at(&mut read, 0).unwrap();
    read.reverse();
    assert!(read == pattern);
}

/// Its owner takes what has finished, and submits nothing.
#[test]
fn the_rest_of_a_transfer_starts_before_another_one_is_returned() {
    let (_, mapping) = memory(PAGE);
    let mut ring = ring(&disk(&[1; 3000]), 2);
    for count in [3000, 1] {
        let ranges = (0..count).map(|at| (at, 1)).collect();
        let held = Ranges(Arc::clone(&mapping), ranges);
        ring.start(FileOperation::Read, at(0), held).map_err(|_| ()).unwrap();
    }
    ring.submit().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while ring.room() < 2 {
        assert!(Instant::now() < deadline, "{} have finished", ring.room());
        if let Some(done) = ring.take_finished() {
            done.result.unwrap();
        }
    }
}

/// Code that has taken over the process cannot open files by the ring.
#[test]
fn the_kernel_refuses_what_a_ring_is_not_for() {
    let file = disk(&[1; 8]);
    let mut ring = ring(&file, 4);
    let mut byte = 0_u8;
    let unregistered = io_uring::types::Fd(file.as_raw_fd());
    let entries = [
        opcode::OpenAt::new(io_uring::types::Fd(libc::AT_FDCWD), c"/etc/passwd".as_ptr()).build(),
        opcode::Read::new(unregistered, &raw mut byte, 1).build(),
    ];
    for entry in entries {
        // SAFETY: the kernel refuses the entry; otherwise its memory lives as long as this waits.
        unsafe { ring.ring.submission().push(&entry).unwrap() };
        ring.ring.submit_and_wait(1).unwrap();
        let refused = ring.ring.completion().next().unwrap();
        assert_eq!(refused.result(), -libc::EACCES);
    }
    let more = ring.ring.submitter().register_files(&[file.as_raw_fd()]).unwrap_err();
    assert_eq!(more.raw_os_error(), Some(libc::EACCES));
}

/// The kernel may write as long as a transfer is under way.
#[test]
fn a_ring_that_is_dropped_waits_for_its_transfers() {
    const LEN: usize = 16 << 20;
    for _ in 0..4 {
        let (_, mapping) = memory(2 * LEN);
        let mut ring = ring(&uncached(2 * LEN), 2);
        for half in 0..2 {
            let held = Ranges(Arc::clone(&mapping), vec![(half * LEN, LEN)]);
            let place = at((half * LEN) as u64);
            ring.start(FileOperation::Read, place, held).map_err(|_| ()).unwrap();
            ring.submit().unwrap();
        }
        assert_eq!(Arc::strong_count(&mapping), 3);
        drop(ring);
        assert_eq!(Arc::strong_count(&mapping), 1);
    }
}

/// The caller of a transfer that was not submitted does not expect its effect.
#[test]
fn what_was_not_submitted_does_not_start_when_the_ring_is_dropped() {
    let (_, mapping) = memory(PAGE);
    let file = disk(&[1; 3]);
    let mut ring = ring(&file, 4);
    for position in 0..3 {
        let held = Ranges(Arc::clone(&mapping), vec![(0, 1)]);
        ring.start(FileOperation::Write, at(position), held).map_err(|_| ()).unwrap();
        if position == 0 {
            ring.submit().unwrap();
        }
    }
    drop(ring);
    assert_eq!(Arc::strong_count(&mapping), 1);
    let mut bytes = [9; 3];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, [0, 1, 1]);
}

extern "C" fn ignore(_: libc::c_int) {}

#[test]
fn signals_interrupt_no_transfer() {
    const LEN: usize = 16 << 20;
    // SAFETY: a handler that does nothing, of a signal that nothing else here uses. Without
    // SA_RESTART, waits end with EINTR.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGWINCH, &raw const action, std::ptr::null_mut()), 0);
    }
    // SAFETY: it has no preconditions.
    let waiting = unsafe { libc::pthread_self() };
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one, so it exists.
                unsafe { libc::pthread_kill(waiting, libc::SIGWINCH) };
                thread::sleep(Duration::from_micros(50));
            }
        });
        let results: Vec<_> = (0..8).map(|_| transfer_all(LEN)).collect();
        is_done.store(true, Ordering::Relaxed);
        // Asserted here, because a panic earlier would wait for the other thread.
        assert!(
            results.iter().all(|end| matches!(end, Ok(end) if *end == LEN as u64)),
            "{results:?}"
        );
    });
}

/// Reads a file of this length. Returns the position after it.
fn transfer_all(len: usize) -> io::Result<u64> {
    let (_, mapping) = memory(len);
    let mut ring = ring(&uncached(len), 1);
    let held = Ranges(mapping, vec![(0, len / 2), (len / 2, len / 2)]);
    ring.start(FileOperation::Read, at(0), held).map_err(|_| io::ErrorKind::Other)?;
    // A call that has submitted something does not fail because a signal ends its wait.
    ring.submit()?;
    loop {
        ring.wait()?;
        if let Some(done) = ring.take_finished() {
            return done.result.map(|()| done.position);
        }
    }
}

/// Makes `io_uring_enter(2)` fail on this thread from now on.
fn refuse_enter(errno: Errno) {
    let rules = [(libc::SYS_io_uring_enter, Vec::new())].into_iter().collect();
    let error = SeccompAction::Errno((errno as i32).cast_unsigned());
    let processor = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, error, processor).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

#[test]
fn calls_are_repeated_after_errors_that_pass() {
    for errno in [Errno::EAGAIN, Errno::EBUSY, Errno::ENOMEM, Errno::EINTR] {
        wait_to_repeat(errno.into()).unwrap();
    }
    assert_eq!(wait_to_repeat(Errno::EPERM.into()).unwrap_err().raw_os_error(), Some(libc::EPERM));
}

/// Drops a ring whose waits fail, with a transfer that ends later if `ends`. Returns the number of
/// owners of its memory after that.
fn drop_without_waits(errno: Errno, ends: bool) -> usize {
    let (pipe, mut end) = io::pipe().unwrap();
    let dropped = thread::spawn(move || {
        let (_, mapping) = memory(PAGE);
        let mut ring = ring(&File::from(OwnedFd::from(pipe)), 1);
        let held = Ranges(Arc::clone(&mapping), vec![(0, PAGE)]);
        ring.start(FileOperation::Read, at(0), held).map_err(|_| ()).unwrap();
        ring.submit().unwrap();
        refuse_enter(errno);
        drop(ring);
        Arc::strong_count(&mapping)
    });
    if ends {
        thread::sleep(Duration::from_millis(50));
        end.write_all(&[1]).unwrap();
    }
    dropped.join().unwrap()
}

#[test]
fn a_ring_that_is_dropped_repeats_a_wait_that_fails_for_a_moment() {
    assert_eq!(drop_without_waits(Errno::EAGAIN, true), 1);
}

/// The kernel may still write to it.
#[test]
fn the_memory_of_a_transfer_that_cannot_be_waited_for_stays_mapped() {
    assert_eq!(drop_without_waits(Errno::EPERM, false), 2);
}

/// It is returned by the next call that submits, and the transfer is not lost.
#[test]
fn an_error_that_stays_leaves_the_rest_of_a_transfer_prepared() {
    let (_, mapping) = memory(PAGE);
    let mut ring = ring(&disk(&[1; 3000]), 1);
    let ranges = (0..3000).map(|at| (at, 1)).collect();
    ring.start(FileOperation::Read, at(0), Ranges(mapping, ranges)).map_err(|_| ()).unwrap();
    ring.submit().unwrap();
    let refused = thread::spawn(move || {
        refuse_enter(Errno::EPERM);
        assert!(ring.take_finished().is_none(), "ranges are left");
        let error = ring.submit().unwrap_err();
        (ring, error.raw_os_error())
    });
    let (mut ring, error) = refused.join().unwrap();
    assert_eq!(error, Some(libc::EPERM));
    let done = wait(&mut ring);
    done.result.unwrap();
    assert_eq!(done.position, 3000);
}
