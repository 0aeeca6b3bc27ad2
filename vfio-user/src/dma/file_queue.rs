//! Reads and writes between files of the device and memory of the client that are under way.

mod error;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::stat::fstat;

use super::DmaError;
use super::file_transfer::FileTransferError;
use super::guard::DmaGuard;
use super::rights::Rights;
use super::segment::DmaSegment;
use crate::sys::{FileOperation, FilePosition, Finished, HoldsBytes, SharedBytes, Uring};
pub use error::{FileQueueError, FileQueueFull};

/// Reads, writes and syncs of files that are under way, by `io_uring(7)`.
///
/// [`DmaGuard::read_from`] waits for a file. Here the kernel reads and writes while the thread
/// continues, and many transfers are under way at a time. The kernel copies to and from mapped
/// memory by itself, as `read_from` does. The kernel cancels what a thread has submitted when that
/// thread exits, so [`submit`](Self::submit) on a thread that lives until the transfers end, for
/// example in a [`Worker`](crate::Worker).
///
/// A transfer is prepared by [`read`](Self::read), [`write`](Self::write) or
/// [`sync`](Self::sync) with a tag of the device's choice, all that are prepared start with
/// `submit`, and [`take_finished`](Self::take_finished) returns them in the order in which they
/// end. The descriptor of the queue ([`AsFd`]) is readable while there are any:
/// [`Worker::wake_by`](crate::Worker::wake_by).
///
/// ```
/// use std::fs::File;
/// use vfio_user::{Dma, FileQueue};
///
/// type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
///
/// /// Reads blocks of 4 KiB to consecutive pages, all at a time. Returns how many were read.
/// fn read_all(dma: &Dma, disk: &File, blocks: &[u64]) -> Result<usize> {
///     let mut queue = FileQueue::new(&[disk], 64)?;
///     for (page, block) in (0..).zip(blocks).take(64) {
///         queue.read(0, 4096 * block, dma.map_writable(4096 * page, 4096)?, *block)?;
///     }
///     queue.submit()?;
///     let mut count = 0;
///     while let Some((block, read)) = queue.wait()? {
///         read.map_err(|error| format!("block {block}: {error}"))?;
///         count += 1;
///     }
///     Ok(count)
/// }
/// ```
///
/// # Memory
///
/// A transfer holds its guard until `take_finished` returns it, so requests that remove the memory,
/// stop the device or reset it wait for that long. A worker that keeps transfers under way between
/// its turns takes them in [`Work::drain`](crate::Work::drain) as well. A queue that is dropped
/// waits for the transfers that were submitted; the others do not start.
///
/// Memory that is not mapped is read or written by the call that prepares the transfer, which waits
/// for it; the transfer finishes when it is submitted. Guest memory is not registered with the
/// kernel: that would pin all of it, and hide that a client truncates its file.
///
/// # Files
///
/// The files are those that the queue was created with, regular ones and block devices. The kernel
/// lets the queue do nothing else, whatever happens to the process, so `--sandbox` allows the use
/// of queues. Create them before the program is confined: together with the device, or earlier.
///
/// A transfer ends when the storage has done it. A device cannot cancel it.
pub struct FileQueue<T: 'static> {
    ring: Uring<HeldTransfer<T>>,
    /// For memory that is not mapped.
    files: Box<[OwnedFd]>,
}

/// A transfer that is under way.
struct HeldTransfer<T> {
    /// `None` for a sync.
    guard: Option<DmaGuard>,
    /// What the device needs.
    rights: Rights,
    /// The result, if the transfer has ended without the ring. The ring reports it.
    done: Option<Result<(), FileTransferError>>,
    tag: T,
}

impl<T> HeldTransfer<T> {
    fn segments(&self) -> &[DmaSegment] {
        self.guard.as_ref().map_or(&[], DmaGuard::segments)
    }
}

impl<T: 'static> HoldsBytes for HeldTransfer<T> {
    type Error = DmaError;

    fn bytes(&self) -> impl Iterator<Item = Result<SharedBytes<'_>, DmaError>> {
        self.segments().iter().map(|segment| segment.mapped_bytes(self.rights))
    }
}

impl<T: 'static> FileQueue<T> {
    /// Creates a queue for these files, of which transfers use the indices, with up to `depth`
    /// transfers at a time: from 1 to 4096.
    ///
    /// # Errors
    ///
    /// [`FileQueueError`]: the kernel needs Linux 5.10 or later, and an administrator may have
    /// disabled `io_uring`.
    pub fn new(files: &[impl AsFd], depth: u16) -> Result<Self, FileQueueError> {
        if !(1..=4096).contains(&depth) {
            return Err(FileQueueError::Depth { depth });
        }
        if files.is_empty() {
            return Err(FileQueueError::NoFiles);
        }
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        for (index, file) in files.iter().enumerate() {
            check_file(*file, index)?;
        }
        let ring = Uring::new(&files, depth).map_err(FileQueueError::of_setup)?;
        let owned = files.iter().enumerate().map(|(index, file)| {
            file.try_clone_to_owned().map_err(|source| FileQueueError::File { index, source })
        });
        Ok(FileQueue { ring, files: owned.collect::<Result<_, _>>()? })
    }

    /// Returns the number of transfers that can be prepared before one is taken.
    pub fn room(&self) -> usize {
        self.ring.room()
    }

    /// Prepares to read a file, from `position` on, into all of the memory that is held.
    ///
    /// # Errors
    ///
    /// If there is no [`room`](Self::room). All other errors are those of the transfer.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn read(
        &mut self,
        file: usize,
        position: u64,
        guard: DmaGuard,
        tag: T,
    ) -> Result<(), FileQueueFull<T>> {
        self.start(FileOperation::Read, file, position, Some(guard), tag)
    }

    /// Prepares to write all of the memory that is held to a file, from `position` on, as
    /// [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    pub fn write(
        &mut self,
        file: usize,
        position: u64,
        guard: DmaGuard,
        tag: T,
    ) -> Result<(), FileQueueFull<T>> {
        self.start(FileOperation::Write, file, position, Some(guard), tag)
    }

    /// Prepares to make durable what has been written to a file, as [`File::sync_data`] does.
    /// Writes that have not been taken may be left out.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    ///
    /// [`File::sync_data`]: std::fs::File::sync_data
    pub fn sync(&mut self, file: usize, tag: T) -> Result<(), FileQueueFull<T>> {
        self.start(FileOperation::Sync, file, 0, None, tag)
    }

    fn start(
        &mut self,
        operation: FileOperation,
        file: usize,
        position: u64,
        guard: Option<DmaGuard>,
        tag: T,
    ) -> Result<(), FileQueueFull<T>> {
        assert!(file < self.files.len(), "file {file} of {}", self.files.len());
        if self.room() == 0 {
            return Err(FileQueueFull { guard, tag });
        }
        if let Some(guard) = guard.as_ref().filter(|guard| !is_for_ring(guard, position)) {
            let file = &self.files[file];
            let done = match operation {
                FileOperation::Read => guard.read_from(file, position),
                _ => guard.write_to(file, position),
            };
            self.report(tag, done);
            return Ok(());
        }
        let rights = match operation {
            FileOperation::Read => Rights::WRITE,
            FileOperation::Write => Rights::READ,
            FileOperation::Sync | FileOperation::Nothing => Rights::empty(),
        };
        let transfer = HeldTransfer { guard, rights, done: None, tag };
        let place = FilePosition { file: u32::try_from(file).unwrap_or(u32::MAX), position };
        if let Err((transfer, error)) = self.ring.start(operation, place, transfer) {
            self.report(transfer.tag, Err(error.into()));
        }
        Ok(())
    }

    /// Lets the ring finish a transfer that has ended without it, so that the descriptor of the
    /// queue is readable.
    fn report(&mut self, tag: T, done: Result<(), FileTransferError>) {
        let rights = Rights::empty();
        let transfer = HeldTransfer { guard: None, rights, done: Some(done), tag };
        let place = FilePosition { file: 0, position: 0 };
        let started = self.ring.start(FileOperation::Nothing, place, transfer);
        debug_assert!(started.is_ok(), "it holds no memory");
    }

    /// Starts what is prepared, and does not wait for it.
    ///
    /// # Errors
    ///
    /// When the system lacks memory. The transfers stay prepared, and start with the next call of
    /// this or of [`wait`](Self::wait).
    pub fn submit(&mut self) -> io::Result<()> {
        self.ring.submit()
    }

    /// Returns a transfer that has finished, if there is one: its tag, and its result. A part may
    /// have been moved by a transfer that has failed.
    pub fn take_finished(&mut self) -> Option<(T, Result<(), FileTransferError>)> {
        self.ring.take_finished().map(finish)
    }

    /// Starts what is prepared, waits until a transfer has finished, and returns it; `None` if none
    /// is left.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn wait(&mut self) -> io::Result<Option<(T, Result<(), FileTransferError>)>> {
        loop {
            let finished = self.take_finished();
            if finished.is_some() || self.ring.is_idle() {
                return Ok(finished);
            }
            self.ring.wait()?;
        }
    }
}

/// Its descriptor can be waited for: it is readable while transfers have finished.
impl<T: 'static> AsFd for FileQueue<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl<T: 'static> fmt::Debug for FileQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileQueue").field("room", &self.room()).finish_non_exhaustive()
    }
}

/// Returns whether the kernel can move the bytes. What has no bytes, or whose position does not
/// exist, is left to system calls, which do not move it or refuse it.
fn is_for_ring(guard: &DmaGuard, position: u64) -> bool {
    let is_mapped = guard.segments().iter().all(DmaSegment::is_mapped);
    is_mapped && !guard.is_empty() && i64::try_from(position).is_ok()
}

/// Returns the tag and the result of a transfer, and releases its memory.
fn finish<T>(finished: Finished<HeldTransfer<T>>) -> (T, Result<(), FileTransferError>) {
    let Finished { held: transfer, position, result } = finished;
    if let Some(done) = transfer.done {
        return (transfer.tag, done);
    }
    let segments = transfer.segments();
    if transfer.rights.contains(Rights::WRITE) {
        // A failed read may have read a part.
        for segment in segments {
            segment.mark_dirty(0, segment.len());
        }
    } else if result.is_ok() {
        segments.iter().for_each(DmaSegment::note_read);
    }
    // Memory that is lost meanwhile was replaced by zeros.
    let lost = segments.iter().find_map(|segment| segment.mapped_bytes(transfer.rights).err());
    let done = match (lost, result) {
        (Some(error), _) => Err(error.into()),
        (None, Err(error)) if is_fault(&error) && !segments.is_empty() => {
            Err(segments[0].lost().into())
        }
        (None, result) => result.map_err(|source| FileTransferError::File { position, source }),
    };
    (transfer.tag, done)
}

fn is_fault(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EFAULT as i32)
}

/// # Errors
///
/// If transfers of the file could take for ever, or fail because they would have to wait.
fn check_file(file: BorrowedFd<'_>, index: usize) -> Result<(), FileQueueError> {
    let refused = |errno: Errno| FileQueueError::File { index, source: errno.into() };
    let stat = fstat(file).map_err(refused)?;
    if !matches!(stat.st_mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFBLK) {
        return Err(FileQueueError::NotAFile { index });
    }
    let flags = fcntl(file, FcntlArg::F_GETFL).map_err(refused)?;
    if OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK) {
        return Err(FileQueueError::NonBlocking { index });
    }
    Ok(())
}
