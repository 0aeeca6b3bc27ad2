//! The only unsafe code of the crate: receiving descriptors, adopting inherited ones, system calls
//! that `nix` lacks, and touching memory that another process can change or truncate at any time.

mod atomic;
mod barrier;
mod copy;
mod epoll;
mod fault;
#[cfg(feature = "cli")]
mod fd;
mod mapping;
#[cfg(test)]
pub(crate) mod perf;
mod signal;
mod socket;
mod unmapping;
#[cfg(feature = "io-uring")]
mod uring;
mod vectored;
#[cfg(feature = "vm-memory")]
mod vm;

pub use atomic::Atomic;
pub(crate) use barrier::barrier_everywhere;
pub(crate) use copy::last_word;
pub(crate) use epoll::epoll_pwait2;
#[cfg(feature = "cli")]
pub(crate) use fd::take_inherited;
pub(crate) use mapping::{Lost, Mapping, page_size};
pub(crate) use signal::{is_eventfd, prepare_signals, signal};
pub(crate) use socket::{MAX_FDS, Received, read_now, receive, unread};
pub(crate) use unmapping::Unmapping;
#[cfg(feature = "io-uring")]
pub(crate) use uring::{FileOperation, FilePosition, Finished, HoldsBytes, Uring};
pub(crate) use vectored::{SharedBytes, preadv, pwritev, skip};
#[cfg(feature = "vm-memory")]
pub(crate) use vm::volatile_slice;
