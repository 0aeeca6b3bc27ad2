//! Kinds of descriptors that peers pass.

use std::fmt;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::stat::{SFlag, fstat};

/// A descriptor that was passed with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// A file, such as memory, of a size in bytes.
    File(u64),
    EventFd,
    Socket,
    Other,
}

impl Descriptor {
    /// Finds out the kind of a descriptor.
    pub(crate) fn of(fd: impl AsFd) -> Self {
        let Ok(stat) = fstat(&fd) else { return Descriptor::Other };
        match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => Descriptor::File(u64::try_from(stat.st_size).unwrap_or_default()),
            SFlag::S_IFSOCK => Descriptor::Socket,
            _ if is_eventfd(&fd) => Descriptor::EventFd,
            _ => Descriptor::Other,
        }
    }
}

fn is_eventfd(fd: impl AsFd) -> bool {
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    fs::read_link(link).is_ok_and(|target| target.as_os_str() == "anon_inode:[eventfd]")
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Descriptor::File(size) => write!(f, "file:{size:#x}"),
            Descriptor::EventFd => f.write_str("eventfd"),
            Descriptor::Socket => f.write_str("socket"),
            Descriptor::Other => f.write_str("other"),
        }
    }
}
