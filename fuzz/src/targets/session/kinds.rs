//! Descriptors of every kind that a client may pass.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use vfio_user::EventFd;
use vfio_user_tests::files;

/// The size of the memory, in bytes.
pub(in crate::targets) const MEMORY: u64 = 0x10_0000;

/// One of each kind.
pub(in crate::targets) struct Kinds {
    memory: File,
    /// Shorter than what is said of it.
    page: File,
    eventfd: EventFd,
    pipe: OwnedFd,
    directory: File,
    socket: (UnixStream, UnixStream),
}

impl Kinds {
    pub(in crate::targets) fn new() -> Self {
        Kinds {
            memory: files::memory(MEMORY),
            page: files::memory(0x1000),
            eventfd: EventFd::new().expect("eventfd"),
            pipe: files::new_pipe().1,
            directory: File::open("/").expect("a directory"),
            socket: UnixStream::pair().expect("pair"),
        }
    }

    pub(in crate::targets) fn pick(&self, kind: u8) -> BorrowedFd<'_> {
        match kind % 8 {
            0 => self.pipe.as_fd(),
            1 => self.directory.as_fd(),
            2 => self.socket.0.as_fd(),
            3 => self.page.as_fd(),
            4 | 5 => self.memory.as_fd(),
            _ => self.eventfd.as_fd(),
        }
    }

    /// Shrinks or restores the memory, which clients may do at any time.
    pub(in crate::targets) fn resize(&self, size: u64) {
        self.memory.set_len(size % (MEMORY + 1)).expect("ftruncate");
    }
}
