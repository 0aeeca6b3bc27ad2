//! Why a queue cannot be created, or takes no transfer.

use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::dma::guard::DmaGuard;

/// Why a [`FileQueue`](super::FileQueue) could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileQueueError {
    /// The kernel lacks `io_uring`, or restrictions of it.
    #[error(
        "the kernel has no io_uring as of Linux 5.10, or a filter of system calls such as that of \
         --sandbox hides it"
    )]
    Unsupported(#[source] io::Error),
    /// The process may not use `io_uring`.
    #[error(
        "this process may not use io_uring: the sysctl kernel.io_uring_disabled or a filter of \
         system calls denies it"
    )]
    Denied(#[source] io::Error),
    /// Reads of the file may wait for ever, because it is a pipe, a socket or a terminal, for
    /// example.
    #[error("file {index} is neither a regular file nor a block device")]
    NotAFile {
        /// Its index.
        index: usize,
    },
    /// Reads of the file would fail whenever they have to wait for the storage.
    #[error("file {index} was opened with O_NONBLOCK")]
    NonBlocking {
        /// Its index.
        index: usize,
    },
    /// The system refused a call for the file.
    #[error("file {index} could not be used")]
    File {
        /// Its index.
        index: usize,
        /// The error of the call.
        source: io::Error,
    },
    /// There are no files.
    #[error("a queue needs at least one file")]
    NoFiles,
    /// The depth is too small or too large.
    #[error("a queue cannot have {depth} transfers at a time; 1 to 4096 are accepted")]
    Depth {
        /// The depth that was requested.
        depth: u16,
    },
    /// The system refused something else.
    #[error("io_uring could not be set up")]
    System(#[source] io::Error),
}

impl FileQueueError {
    pub(super) fn of_setup(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSYS | Errno::EINVAL) => FileQueueError::Unsupported(error),
            Some(Errno::EPERM | Errno::EACCES) => FileQueueError::Denied(error),
            _ => FileQueueError::System(error),
        }
    }
}

/// A queue took no transfer because as many as its depth allows are under way, or have finished and
/// were not taken.
#[derive(thiserror::Error)]
#[error("the queue has no room for another transfer")]
pub struct FileQueueFull<T> {
    /// The memory of the transfer; `None` for a sync.
    pub guard: Option<DmaGuard>,
    /// The tag of the transfer.
    pub tag: T,
}

impl<T> fmt::Debug for FileQueueFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileQueueFull").field("guard", &self.guard).finish_non_exhaustive()
    }
}
