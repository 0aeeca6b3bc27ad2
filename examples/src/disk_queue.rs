//! Transfers of disks that are under way.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vfio_user::{DmaGuard, FileQueue, FileTransferError, Result, Work, Worker};

use crate::disk::{Disk, DiskError, of_read, of_write};

/// The maximum number of transfers under way.
const DEPTH: u16 = 1024;

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

/// Transfers of disks that a worker starts and does not wait for, by `io_uring(7)`.
///
/// A clone is the same queue: a device keeps one for the worker that is there after its state is
/// loaded, because a program with `--sandbox` cannot create another queue.
pub struct DiskQueue<T: 'static>(Option<Arc<Files<T>>>);

struct Files<T: 'static> {
    /// The file of each disk.
    indices: Box<[Option<usize>]>,
    queue: Mutex<FileQueue<Tag<T>>>,
}

struct Tag<T> {
    /// What the transfer is for.
    owner: T,
    error: fn(FileTransferError) -> DiskError,
}

impl<T: 'static> DiskQueue<T> {
    /// Creates a queue for those of the disks that are files. If the kernel denies it, the worker
    /// waits for each transfer, and a line of the log says why.
    pub fn new(disks: &[Disk]) -> Self {
        let files: Vec<&File> = disks.iter().filter_map(Disk::file).collect();
        if files.is_empty() {
            return DiskQueue(None);
        }
        let mut indices = 0..files.len();
        let indices = disks.iter().map(|disk| disk.file().and_then(|_| indices.next())).collect();
        match FileQueue::new(&files, DEPTH) {
            Ok(queue) => DiskQueue(Some(Arc::new(Files { indices, queue: Mutex::new(queue) }))),
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
    /// Returns whether it is done.
    ///
    /// Bytes are written at once, to the system's cache: for most file systems `io_uring(7)` leaves
    /// that to a thread of the kernel, which takes longer than the copy.
    ///
    /// # Errors
    ///
    /// When it is done and has failed.
    pub fn start(
        &self,
        (index, disk): (usize, &Disk),
        transfer: &Transfer<'_>,
        tag: impl FnOnce() -> T,
    ) -> Result<bool, DiskError> {
        if let Transfer::Write(at, data) | Transfer::WriteThrough(at, data) = *transfer {
            disk.write(at, data)?;
            if matches!(transfer, Transfer::Write(..)) {
                return Ok(true);
            }
        }
        if let Some(file) = self.index(index)
            && let Some(mut queue) = self.lock().filter(|queue| queue.room() > 0)
        {
            let prepared = match *transfer {
                Transfer::Read(at, data) => {
                    queue.read(file, at, data.clone(), Tag { owner: tag(), error: of_read })
                }
                _ => queue.sync(file, Tag { owner: tag(), error: of_write }),
            };
            debug_assert!(prepared.is_ok(), "there is room");
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
    pub fn take_finished(&self) -> Option<(T, Result<(), DiskError>)> {
        self.lock()?.take_finished().map(Tag::ended)
    }

    /// Starts what is prepared, and waits until a transfer has ended. Returns it; `None` if none is
    /// left, or the system lacks memory.
    pub fn wait(&self) -> Option<(T, Result<(), DiskError>)> {
        self.lock()?.wait().ok()?.map(Tag::ended)
    }

    /// Returns whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.lock().is_none_or(|queue| queue.room() == usize::from(DEPTH))
    }

    fn lock(&self) -> Option<MutexGuard<'_, FileQueue<Tag<T>>>> {
        let files = self.0.as_ref()?;
        Some(files.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Tag<T> {
    fn ended((tag, done): (Self, Result<(), FileTransferError>)) -> (T, Result<(), DiskError>) {
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
