//! Descriptors to pass, and to count.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use vfio_user::EventFd;

use crate::PATIENCE;

/// Creates a memory file of `size` zeros.
///
/// # Panics
///
/// If the system refuses.
pub fn memory(size: u64) -> fs::File {
    let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).expect("memfd");
    ftruncate(&file, i64::try_from(size).expect("small")).expect("ftruncate");
    fs::File::from(file)
}

/// Creates a pipe and returns its ends: the one to read from, the one to write to. Processes that
/// other tests start do not inherit them.
///
/// # Panics
///
/// If the system refuses.
pub fn new_pipe() -> (io::PipeReader, OwnedFd) {
    let (reader, writer) = io::pipe().expect("pipe");
    (reader, writer.into())
}

/// Waits until the writing end of a pipe is closed: a server closes the descriptors of its client
/// on a thread that it does not wait for.
///
/// # Panics
///
/// If it stays open.
#[track_caller]
pub fn assert_closed(reader: &mut io::PipeReader) {
    assert!(is_readable(&*reader, PATIENCE), "the other end is still open");
    assert_eq!(reader.read(&mut [0; 1]).expect("end"), 0, "end of file");
}

/// Checks that the writing end of a pipe is open.
///
/// # Panics
///
/// If it is closed.
#[track_caller]
pub fn assert_open(reader: &io::PipeReader) {
    assert!(!is_readable(reader, Duration::ZERO), "the other end is closed");
}

/// Whether there are bytes to read, or the end.
///
/// # Panics
///
/// If the descriptor cannot be polled.
pub fn is_readable(fd: impl AsFd, within: Duration) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(within).expect("short");
    poll(&mut fds, timeout).expect("poll") > 0
}

/// Returns the number of open descriptors of this process.
///
/// # Panics
///
/// Without `/proc`.
pub fn count_open() -> usize {
    // One of them is the directory's own descriptor.
    fs::read_dir("/proc/self/fd").expect("/proc").count() - 1
}

/// Returns the number of mappings of a file in this process.
///
/// # Panics
///
/// Without `/proc`.
pub fn count_mappings(file: &fs::File) -> usize {
    let inode = file.metadata().expect("fstat").ino().to_string();
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
    maps.lines().filter(|line| line.split_whitespace().nth(4) == Some(&inode)).count()
}

/// Returns the number of descriptors of this process for a file.
///
/// # Panics
///
/// Without `/proc`.
pub fn count_descriptors(file: &fs::File) -> usize {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let wanted = identity(file.metadata().expect("fstat"));
    // Other descriptors may vanish meanwhile.
    let all = fs::read_dir("/proc/self/fd").expect("/proc").flatten();
    let identities = all.filter_map(|entry| fs::metadata(entry.path()).ok().map(identity));
    identities.filter(|identity| *identity == wanted).count()
}

/// Returns the number of mappings of memory files in this process.
///
/// # Panics
///
/// Without `/proc`.
pub fn count_memory_mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
    maps.lines().filter(|line| line.contains("/memfd:")).count()
}

/// Returns the number of descriptors of this process for an eventfd.
///
/// # Panics
///
/// Without `/proc`, or if it is no eventfd.
pub fn count_eventfd(eventfd: &EventFd) -> usize {
    let id =
        |info: String| info.lines().find(|line| line.starts_with("eventfd-id:")).map(str::to_owned);
    let own = format!("/proc/self/fdinfo/{}", eventfd.as_fd().as_raw_fd());
    let wanted = id(fs::read_to_string(own).expect("/proc")).expect("an eventfd");
    // Other descriptors may vanish meanwhile.
    let others = fs::read_dir("/proc/self/fdinfo").expect("/proc").flatten();
    let ids = others.filter_map(|entry| id(fs::read_to_string(entry.path()).ok()?));
    ids.filter(|id| *id == wanted).count()
}

/// Borrows of several descriptors.
pub fn borrow<T: AsFd>(fds: &[T]) -> Vec<BorrowedFd<'_>> {
    fds.iter().map(AsFd::as_fd).collect()
}
