//! Transfers of disks that are under way.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use vfio_user::{DmaGuard, FileQueue, FileTransferError, Result, Work, Worker};

use crate::disk::{Disk, DiskError, of_read, of_write};

/// The maximum number of transfers under way.
const DEPTH: u16 = 1024;
/// How long a thread waits before it repeats a call for which the system lacks memory.
const PAUSE: Duration = Duration::from_millis(1);

/// What a transfer does with a disk: from which byte on, with which memory of the guest.
#[derive(Debug)]
pub enum Transfer<'a> {
    /// Reads bytes of the disk.
    Read(u64, &'a DmaGuard),
    /// Writes bytes of the disk.
    Write(u64, &'a DmaGuard),
    /// Writes bytes of the disk, and makes them durable.
    WriteThrough(u64, &'a DmaGuard),
    /// Makes durable what was written.
    Flush,
}

/// What a transfer is for, and its result.
pub type Finished<T> = (T, Result<(), DiskError>);

/// Transfers of disks that a worker starts and does not wait for, by `io_uring(7)`.
///
/// Each is for a command that comes from one queue of the device and is completed in another one,
/// and is counted for both.
///
/// A clone is the same queue: a device keeps one for the worker that is there after its state is
/// loaded, because a program with `--sandbox` cannot create another queue.
pub struct DiskQueue<T: 'static>(Option<Arc<Files<T>>>);

struct Files<T: 'static> {
    /// The file of each disk.
    indices: Box<[Option<usize>]>,
    /// How many transfers of each queue of the device are under way.
    counts: Box<[AtomicU32]>,
    queue: Mutex<FileQueue<Tag<T>>>,
}

struct Tag<T> {
    /// What the transfer is for.
    owner: T,
    /// Where its command comes from, and where it is completed.
    queues: [usize; 2],
    error: fn(FileTransferError) -> DiskError,
}

type Ended<T> = (Tag<T>, Result<(), FileTransferError>);

impl<T: 'static> DiskQueue<T> {
    /// Creates a queue for those of the disks that are files, of a device with this number of
    /// queues. If the kernel denies it, the worker waits for each transfer, and a line of the log
    /// says why.
    pub fn new(disks: &[Disk], queues: usize) -> Self {
        let files: Vec<&File> = disks.iter().filter_map(Disk::file).collect();
        if files.is_empty() {
            return DiskQueue(None);
        }
        let mut indices = 0..files.len();
        let indices = disks.iter().map(|disk| disk.file().and_then(|_| indices.next())).collect();
        match FileQueue::new(&files, DEPTH) {
            Ok(queue) => {
                let counts = (0..queues).map(|_| AtomicU32::new(0)).collect();
                DiskQueue(Some(Arc::new(Files { indices, counts, queue: Mutex::new(queue) })))
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the disks are waited for, one transfer at a time");
                DiskQueue(None)
            }
        }
    }

    /// Makes each transfer that ends wake a worker.
    ///
    /// # Errors
    ///
    /// As [`Worker::wake_by`].
    pub fn wake<W: Work>(&self, worker: &Worker<W>) -> Result<()> {
        self.lock().map_or(Ok(()), |queue| worker.wake_by(&*queue))
    }

    /// Returns whether transfers of a disk are under way while the worker continues.
    pub fn has(&self, disk: usize) -> bool {
        self.index(disk).is_some()
    }

    #[inline]
    fn index(&self, disk: usize) -> Option<usize> {
        *self.0.as_ref()?.indices.get(disk)?
    }

    /// Prepares a transfer of the disk with this index, or does it if it cannot be under way.
    /// Returns whether it is done. Its command comes from the first of the queues, and is completed
    /// in the second.
    ///
    /// Bytes are written at once, to the system's cache: for most file systems `io_uring(7)` leaves
    /// that to a thread of the kernel, which takes longer than the copy.
    ///
    /// # Errors
    ///
    /// When it is done and has failed.
    ///
    /// # Panics
    ///
    /// If the device has no such queues.
    pub fn start(
        &self,
        (index, disk): (usize, &Disk),
        transfer: &Transfer<'_>,
        queues: [usize; 2],
        owner: impl FnOnce() -> T,
    ) -> Result<bool, DiskError> {
        if let Transfer::Write(at, data) | Transfer::WriteThrough(at, data) = *transfer {
            disk.write(at, data)?;
            if matches!(transfer, Transfer::Write(..)) {
                return Ok(true);
            }
        }
        if let (Some(files), Some(file)) = (&self.0, self.index(index))
            && files.prepare(file, transfer, queues, owner)
        {
            return Ok(false);
        }
        match *transfer {
            Transfer::Read(at, data) => disk.read(at, data)?,
            _ => disk.flush()?,
        }
        Ok(true)
    }

    /// Starts what is prepared.
    ///
    /// # Errors
    ///
    /// When the system lacks memory. The next call starts it then.
    pub fn submit(&self) -> io::Result<()> {
        self.lock().map_or(Ok(()), |mut queue| queue.submit())
    }

    /// Returns a transfer that has ended, if there is one.
    pub fn take_finished(&self) -> Option<Finished<T>> {
        let files = self.0.as_ref()?;
        let ended = files.lock().take_finished()?;
        Some(files.end(ended))
    }

    /// Starts what is prepared, and waits until a transfer has ended. Returns it; `None` if none is
    /// left.
    pub fn wait(&self) -> Option<Finished<T>> {
        let files = self.0.as_ref()?;
        loop {
            let waited = files.lock().wait();
            match waited {
                Ok(ended) => return ended.map(|ended| files.end(ended)),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Returns how many transfers of a queue of the device are under way.
    #[inline]
    pub fn count(&self, queue: usize) -> u32 {
        self.0.as_ref().map_or(0, |files| files.counts[queue].load(Ordering::Relaxed))
    }

    /// Returns whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.lock().is_none_or(|queue| queue.room() == usize::from(DEPTH))
    }

    fn lock(&self) -> Option<MutexGuard<'_, FileQueue<Tag<T>>>> {
        self.0.as_ref().map(|files| files.lock())
    }
}

impl<T> Files<T> {
    fn lock(&self) -> MutexGuard<'_, FileQueue<Tag<T>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares a read, or the flush of another transfer, if there is room.
    fn prepare(
        &self,
        file: usize,
        transfer: &Transfer<'_>,
        queues: [usize; 2],
        owner: impl FnOnce() -> T,
    ) -> bool {
        let mut queue = self.lock();
        if queue.room() == 0 {
            return false;
        }
        for number in queues {
            self.counts[number].fetch_add(1, Ordering::Relaxed);
        }
        let tag = |error| Tag { owner: owner(), queues, error };
        let prepared = match *transfer {
            Transfer::Read(at, data) => queue.read(file, at, data.clone(), tag(of_read)),
            _ => queue.sync(file, tag(of_write)),
        };
        debug_assert!(prepared.is_ok(), "there is room");
        true
    }

    /// Stops counting a transfer, and returns it.
    fn end(&self, (tag, done): Ended<T>) -> Finished<T> {
        for number in tag.queues {
            self.counts[number].fetch_sub(1, Ordering::Relaxed);
        }
        (tag.owner, done.map_err(tag.error))
    }
}

impl<T: 'static> Clone for DiskQueue<T> {
    fn clone(&self) -> Self {
        DiskQueue(self.0.clone())
    }
}

/// A queue of no files.
impl<T: 'static> Default for DiskQueue<T> {
    fn default() -> Self {
        DiskQueue(None)
    }
}

impl<T: 'static> fmt::Debug for DiskQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskQueue").field("has_files", &self.0.is_some()).finish_non_exhaustive()
    }
}
