//! Signals of eventfds that never block.
//!
//! `write(2)` blocks on a full eventfd unless its description is non-blocking. Other processes
//! share the description: they can fill the counter and change the mode at any moment, so a check
//! before the write does not help. The kernel itself signals an eventfd without waiting
//! (`eventfd_signal`, by which `vfio-pci` delivers interrupts), also when an asynchronous request
//! with `IOCB_FLAG_RESFD` completes (`io_submit(2)`). A signal here is such a request: a read of no
//! bytes, which completes within the system call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::read_now;
use crate::log_throttle::LogThrottle;

/// The maximum signals of one system call, and the number of completions after which they are
/// taken.
const BATCH: usize = 16;

/// The number of completion slots. The kernel doubles it; a full ring is emptied and the request
/// repeated. All processes share `fs.aio-max-nr` slots (65,536 by default), so each takes few.
const ROOM: usize = 2 * BATCH;

/// The number of attempts before a signal is given up: the kernel has no memory then.
const TRIES: usize = 10_000;

/// `struct iocb` of Linux. The order of the first two words after `data` differs between
/// architectures; both are zero.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Request {
    data: u64,
    key_and_flags: [u32; 2],
    opcode: u16,
    priority: i16,
    file: u32,
    buffer: u64,
    count: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

/// `struct io_event` of Linux.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Completion([u64; 4]);

const _: () = assert!(size_of::<Request>() == 64 && size_of::<Completion>() == 32);

/// A context of asynchronous requests, shared by all threads of the process.
struct Signals {
    /// The handle of the context, which is an unsigned long. A child of `fork(2)` creates its own.
    context: AtomicUsize,
    /// The empty file that the requests read from.
    file: OwnedFd,
    /// The number of completions that may wait to be taken.
    untaken: AtomicUsize,
    failures: LogThrottle,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// Checks that eventfds can be signalled, and read, without waiting.
///
/// # Errors
///
/// An error that names what the kernel lacks, and how to enable it.
pub(crate) fn prepare_signals() -> io::Result<()> {
    if SIGNALS.get().is_none() {
        let signals = Signals::new()?;
        signals.check()?;
        SIGNALS.get_or_init(|| signals);
    }
    Ok(())
}

/// Signals eventfds, each once. It never waits for the other processes that share them, whatever
/// their mode and count are. [`prepare_signals`] must have succeeded.
pub(crate) fn signal<'a>(eventfds: impl IntoIterator<Item = BorrowedFd<'a>>) {
    let Some(signals) = SIGNALS.get() else { return };
    let mut numbers = [0; BATCH];
    let mut count = 0;
    for eventfd in eventfds {
        numbers[count] = eventfd.as_raw_fd();
        count += 1;
        if count == BATCH {
            signals.send(&numbers);
            count = 0;
        }
    }
    signals.send(&numbers[..count]);
}

/// Returns whether a descriptor is an eventfd, without `/proc`. [`prepare_signals`] must have
/// succeeded.
pub(crate) fn is_eventfd(fd: BorrowedFd<'_>) -> bool {
    SIGNALS.get().is_some_and(|signals| signals.is_eventfd(fd.as_raw_fd()))
}

impl Signals {
    fn new() -> io::Result<Self> {
        let file = memfd_create(c"signals", MFdFlags::MFD_CLOEXEC)?;
        let lacks = |error| explain(&error, "asynchronous I/O (CONFIG_AIO, fs.aio-max-nr)");
        let context = AtomicUsize::new(new_context().map_err(lacks)?);
        Ok(Signals { context, file, untaken: AtomicUsize::new(0), failures: LogThrottle::new() })
    }

    /// Signals an eventfd and reads it, without waiting.
    fn check(&self) -> io::Result<()> {
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?;
        self.send(&[eventfd.as_fd().as_raw_fd()]);
        let read = read_now(eventfd.as_fd(), &mut [0; 8]);
        let lacks = |error| explain(&error, "reads of eventfds that do not wait (Linux 5.8)");
        match read.map_err(lacks)? {
            8 => Ok(()),
            _ => Err(explain(&io::ErrorKind::Unsupported.into(), "signals of eventfds")),
        }
    }

    /// Signals up to [`BATCH`] eventfds.
    fn send(&self, eventfds: &[RawFd]) {
        let mut requests = [Request::default(); BATCH];
        for (request, eventfd) in requests.iter_mut().zip(eventfds) {
            *request = Request::signal(self.file.as_raw_fd(), *eventfd);
        }
        let mut rest = &mut requests[..eventfds.len()];
        while !rest.is_empty() {
            let sent = self.submit(rest).unwrap_or_else(|error| {
                // It is not an eventfd, or there is no memory: continue with the next one.
                if let Some(count) = self.failures.hit() {
                    tracing::error!(%error, count, "an eventfd cannot be signalled");
                }
                1
            });
            rest = &mut rest[sent..];
        }
        if self.untaken.fetch_add(eventfds.len(), Ordering::Relaxed) >= BATCH {
            self.take_completions();
        }
    }

    /// Returns whether a descriptor is an eventfd, without signalling or reading it. The kernel
    /// checks the eventfd of a request before it refuses the request for its flags, which are
    /// invalid for a read.
    fn is_eventfd(&self, fd: RawFd) -> bool {
        let mut request = Request::signal(self.file.as_raw_fd(), fd);
        request.key_and_flags = [u32::MAX; 2];
        let refused = self.submit(std::slice::from_mut(&mut request)).err();
        refused.is_some_and(|error| error.raw_os_error() == Some(libc::EOPNOTSUPP))
    }

    /// Submits requests. Returns how many the kernel accepted, which are complete then. Makes room,
    /// and a context, as needed.
    fn submit(&self, requests: &mut [Request]) -> io::Result<usize> {
        let mut tries = 0;
        loop {
            let context = self.context.load(Ordering::Relaxed);
            match submit_to(context, requests) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < TRIES => {
                    tries += 1;
                    self.take_completions();
                    std::thread::yield_now();
                }
                // A context belongs to the address space of a process, of which a child has a copy.
                Err(error) if is_invalid(&error) && !is_ours(context) => self.renew(context)?,
                result => return result,
            }
        }
    }

    /// Creates a context for this process in place of the parent's, which the parent keeps.
    fn renew(&self, old: usize) -> io::Result<()> {
        let new = new_context()?;
        let order = Ordering::Relaxed;
        if self.context.compare_exchange(old, new, order, order).is_err() {
            // Another thread has created one.
            destroy(new);
        }
        Ok(())
    }

    /// Takes completions, to make room for others.
    fn take_completions(&self) {
        self.untaken.store(0, Ordering::Relaxed);
        let context = self.context.load(Ordering::Relaxed);
        let mut completions = [Completion::default(); BATCH];
        while take(context, &mut completions).unwrap_or(0) == BATCH {}
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        destroy(*self.context.get_mut());
    }
}

/// Creates a context of this process.
fn new_context() -> io::Result<usize> {
    let mut context: usize = 0;
    // SAFETY: the kernel writes the new context's handle, which is an unsigned long, to `context`,
    // which has the size of one.
    let made = unsafe { libc::syscall(libc::SYS_io_setup, ROOM, &raw mut context) };
    if made == 0 { Ok(context) } else { Err(io::Error::last_os_error()) }
}

fn destroy(context: usize) {
    // SAFETY: no memory is passed. The caller has made the context, and no thread uses it any more.
    unsafe { libc::syscall(libc::SYS_io_destroy, context) };
}

/// Returns whether a context belongs to this process: the kernel takes no completions from
/// another's.
fn is_ours(context: usize) -> bool {
    !take(context, &mut []).is_err_and(|error| is_invalid(&error))
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// Submits up to [`BATCH`] requests. Returns how many the kernel accepted.
fn submit_to(context: usize, requests: &mut [Request]) -> io::Result<usize> {
    let mut pointers = [std::ptr::null_mut(); BATCH];
    for (pointer, request) in pointers.iter_mut().zip(requests.iter_mut()) {
        *pointer = &raw mut *request;
    }
    let count = requests.len().min(BATCH);
    // SAFETY: the array holds at least as many pointers to requests as the count says, all valid
    // for the call. The kernel writes a key into each request, which is sound because the pointers
    // come from exclusive references. The requests name descriptors by number and a buffer of no
    // bytes, so nothing else is written, and the kernel keeps none of the pointers after the call.
    // A context that is not of this process is refused.
    let sent = unsafe { libc::syscall(libc::SYS_io_submit, context, count, pointers.as_mut_ptr()) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Takes as many completions as there is room for. Returns their number.
fn take(context: usize, completions: &mut [Completion]) -> io::Result<usize> {
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let (room, into) = (completions.len(), completions.as_mut_ptr());
    // SAFETY: the kernel writes at most as many completions as the slice has room for, and reads
    // `now`; both outlive the call. A context that is not of this process is refused.
    let taken = unsafe {
        libc::syscall(libc::SYS_io_getevents, context, 0_i64, room, into, &raw const now)
    };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}

impl Request {
    /// Returns a read of no bytes, after which the kernel signals an eventfd.
    fn signal(file: RawFd, eventfd: RawFd) -> Self {
        /// `IOCB_CMD_PREAD`.
        const READ: u16 = 0;
        /// `IOCB_FLAG_RESFD`.
        const SIGNALS: u32 = 1;
        // Descriptors are not negative.
        let number = |fd: RawFd| u32::try_from(fd).unwrap_or(u32::MAX);
        let (file, eventfd) = (number(file), number(eventfd));
        Request { opcode: READ, file, flags: SIGNALS, eventfd, ..Request::default() }
    }
}

fn explain(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("the kernel does not offer {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

    use super::*;

    fn signals() -> &'static Signals {
        prepare_signals().unwrap();
        SIGNALS.get().unwrap()
    }

    /// Signals an eventfd, and reads it.
    fn count_of_a_signal(signals: &Signals) -> Option<u64> {
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
        signals.send(&[eventfd.as_fd().as_raw_fd()]);
        let mut count = [0; 8];
        read_now(eventfd.as_fd(), &mut count).ok().map(|_| u64::from_ne_bytes(count))
    }

    #[test]
    fn eventfds_are_distinguished_from_other_descriptors_and_not_signalled() {
        let signals = signals();
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
        for _ in 0..1_000 {
            assert!(signals.is_eventfd(eventfd.as_fd().as_raw_fd()));
        }
        let read = read_now(eventfd.as_fd(), &mut [0; 8]).unwrap_err();
        assert_eq!(read.kind(), io::ErrorKind::WouldBlock);

        let clock = ClockId::CLOCK_MONOTONIC;
        let timer = TimerFd::new(clock, TimerFlags::TFD_CLOEXEC).unwrap();
        let (pipe, mut other_end) = io::pipe().unwrap();
        other_end.write_all(b"12345678").unwrap();
        let (socket, _peer) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let others = [timer.as_fd(), pipe.as_fd(), other_end.as_fd(), socket.as_fd(), file.as_fd()];
        for other in others {
            assert!(!signals.is_eventfd(other.as_raw_fd()), "{other:?}");
        }
        assert!(!signals.is_eventfd(RawFd::MAX));
    }

    #[test]
    fn the_context_of_another_process_is_replaced() {
        let signals = Signals::new().unwrap();
        assert_eq!(count_of_a_signal(&signals), Some(1));
        // That of a parent is as unknown to the kernel as one that does not exist any more.
        let old = signals.context.load(Ordering::Relaxed);
        destroy(old);
        assert!(!is_ours(old));
        for _ in 0..100 {
            assert_eq!(count_of_a_signal(&signals), Some(1));
        }
        assert!(is_ours(signals.context.load(Ordering::Relaxed)));
    }

    #[test]
    fn a_child_of_fork_signals_through_a_context_of_its_own() {
        let signals = Signals::new().unwrap();
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
        // SAFETY: the child makes system calls only, neither allocates nor takes locks, and exits.
        let child = unsafe {
            let child = libc::fork();
            if child == 0 {
                signals.send(&[eventfd.as_fd().as_raw_fd()]);
                libc::_exit(0);
            }
            child
        };
        assert!(child > 0);
        let mut status = 0;
        // SAFETY: the kernel writes the status, an int, to `status`.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        let mut count = [0; 8];
        assert_eq!(read_now(eventfd.as_fd(), &mut count).unwrap(), 8);
        assert_eq!(u64::from_ne_bytes(count), 1);
        assert_eq!(count_of_a_signal(&signals), Some(1));
    }

    #[test]
    fn what_cannot_be_signalled_leaves_the_context_and_is_logged_seldom() {
        let signals = Signals::new().unwrap();
        let context = signals.context.load(Ordering::Relaxed);
        let file = File::open("/dev/null").unwrap();
        signals.send(&[file.as_raw_fd(); BATCH]);
        assert_eq!(signals.failures.hit(), None);
        assert_eq!(signals.context.load(Ordering::Relaxed), context);
        assert_eq!(count_of_a_signal(&signals), Some(1));
    }
}
