//! Signals of eventfds that never wait.
//!
//! `write(2)` sleeps on a full eventfd unless its description is non-blocking, and whoever shares the
//! description fills it, and changes its mode, at any moment: a look before the write decides nothing.
//! The kernel itself signals an eventfd without waiting (`eventfd_signal`, by which `vfio-pci` delivers
//! interrupts), and does so when an asynchronous request completes that asks for it (`IOCB_FLAG_RESFD`,
//! `io_submit(2)`). A signal here is such a request: a read of no bytes, which is complete at once.

use std::ffi::c_ulong;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::read_now;

/// The most signals of one system call, and how many completions there may be before they are taken.
const BATCH: usize = 64;

/// What the kernel keeps room for. Twice as many as it may hold with a batch of a thread more.
const ROOM: usize = 4 * BATCH;

/// How often a signal is tried before it is given up: the kernel has no memory then.
const TRIES: usize = 10_000;

/// `struct iocb` of Linux. Of the first two words after `data` the order differs; both are zero.
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

/// A context of asynchronous requests, one for all threads of the process.
struct Signals {
    context: c_ulong,
    /// Read from, and empty.
    file: OwnedFd,
    /// Completions that may wait to be taken.
    untaken: AtomicUsize,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// Makes sure that eventfds can be signalled, and read, without waiting.
///
/// # Errors
///
/// What the kernel lacks, and how to get it.
pub(crate) fn prepare_signals() -> io::Result<()> {
    if SIGNALS.get().is_none() {
        let signals = Signals::new()?;
        signals.check()?;
        SIGNALS.get_or_init(|| signals);
    }
    Ok(())
}

/// Signals eventfds, each once. It never waits for whoever has them, in whatever mode and state they
/// are. [`prepare_signals`] has succeeded.
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

impl Signals {
    fn new() -> io::Result<Self> {
        let file = memfd_create(c"signals", MFdFlags::MFD_CLOEXEC)?;
        let mut context: c_ulong = 0;
        // SAFETY: the kernel writes the new context's handle, which is an unsigned long, to `context`.
        let made = unsafe { libc::syscall(libc::SYS_io_setup, ROOM, &raw mut context) };
        if made != 0 {
            let error = io::Error::last_os_error();
            return Err(explain(&error, "asynchronous I/O (CONFIG_AIO, fs.aio-max-nr)"));
        }
        Ok(Signals { context, file, untaken: AtomicUsize::new(0) })
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

    /// Signals each, of up to [`BATCH`].
    fn send(&self, eventfds: &[RawFd]) {
        let mut requests = [Request::default(); BATCH];
        for (request, eventfd) in requests.iter_mut().zip(eventfds) {
            *request = Request::signal(self.file.as_raw_fd(), *eventfd);
        }
        let mut rest = &mut requests[..eventfds.len()];
        let mut tries = 0;
        while !rest.is_empty() {
            let sent = match self.submit(rest) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < TRIES => {
                    tries += 1;
                    self.take_completions();
                    std::thread::yield_now();
                    0
                }
                // It is no eventfd, or there is no memory: on with the next one.
                Err(error) => {
                    tracing::error!(%error, "an eventfd cannot be signalled");
                    1
                }
            };
            rest = &mut rest[sent..];
        }
        if self.untaken.fetch_add(eventfds.len(), Ordering::Relaxed) >= BATCH {
            self.take_completions();
        }
    }

    /// How many requests the kernel took, which are done then.
    fn submit(&self, requests: &mut [Request]) -> io::Result<usize> {
        let mut pointers = [std::ptr::null_mut(); BATCH];
        for (pointer, request) in pointers.iter_mut().zip(requests.iter_mut()) {
            *pointer = &raw mut *request;
        }
        // SAFETY: the context is ours and lives as long as `self`; the array holds as many pointers to
        // requests as the count says, all valid for the call. They name descriptors by number, ask for
        // no memory of ours to be written, and the kernel keeps no pointer to them.
        let sent = unsafe {
            let count = requests.len();
            libc::syscall(libc::SYS_io_submit, self.context, count, pointers.as_mut_ptr())
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Makes room for others.
    fn take_completions(&self) {
        self.untaken.store(0, Ordering::Relaxed);
        let mut completions = [Completion::default(); BATCH];
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            // SAFETY: the kernel writes at most as many completions as the array has room for, and reads
            // `now`; both outlive the call.
            let taken = unsafe {
                let room = completions.len();
                let into = completions.as_mut_ptr();
                libc::syscall(libc::SYS_io_getevents, self.context, 0, room, into, &raw const now)
            };
            if usize::try_from(taken).unwrap_or(0) < BATCH {
                return;
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the context is ours, and nobody uses it any more.
        unsafe { libc::syscall(libc::SYS_io_destroy, self.context) };
    }
}

impl Request {
    /// A read of nothing, after which an eventfd is signalled.
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
