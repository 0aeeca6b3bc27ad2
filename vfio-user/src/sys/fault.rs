//! A SIGBUS handler, because a client may truncate the file behind memory that it has shared.
//!
//! Every mapping of such memory is watched, as long as it lives. On a SIGBUS inside, the handler
//! replaces the whole mapping by private zero pages and marks it lost: the access completes, and
//! the code that checks the mark afterwards fails it. Any other SIGBUS goes to the previous
//! handler.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::libc;

/// A range of addresses that the handler watches, until it is dropped.
///
/// The handler may run at any time, so it reads memory that is never freed, and takes no lock.
#[derive(Debug)]
pub(super) struct GuardedRange(&'static Slot);

#[derive(Debug)]
struct Slot {
    start: AtomicUsize,
    /// 0 while the slot is unused.
    len: AtomicUsize,
    lost: AtomicBool,
}

impl Slot {
    const fn new() -> Self {
        Slot { start: AtomicUsize::new(0), len: AtomicUsize::new(0), lost: AtomicBool::new(false) }
    }
}

/// A block of slots, linked to more when all are in use.
#[derive(Debug)]
struct Block {
    slots: [Slot; 128],
    next: OnceLock<&'static Block>,
}

impl Block {
    const fn new() -> Self {
        Block { slots: [const { Slot::new() }; 128], next: OnceLock::new() }
    }
}

static FIRST: Block = Block::new();
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
/// The unused slots of all blocks; `None` before the handler is installed.
static FREE: Mutex<Option<Free>> = Mutex::new(None);

struct Free {
    slots: Vec<&'static Slot>,
    last: &'static Block,
}

impl Free {
    fn take(&mut self) -> &'static Slot {
        loop {
            if let Some(slot) = self.slots.pop() {
                return slot;
            }
            self.last = self.last.next.get_or_init(|| Box::leak(Box::new(Block::new())));
            self.slots.extend(&self.last.slots);
        }
    }
}

impl GuardedRange {
    /// Watches a whole mapping, of `len` bytes from `start` on.
    pub(super) fn new(start: *mut u8, len: usize) -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = free.get_or_insert_with(install).take();
        slot.lost.store(false, Ordering::Relaxed);
        // The handler converts it back to a pointer.
        slot.start.store(start.expose_provenance(), Ordering::Relaxed);
        // Last, because from here on the handler uses the slot.
        slot.len.store(len, Ordering::Release);
        GuardedRange(slot)
    }

    /// Returns whether the mapping was replaced by zero pages.
    #[inline]
    pub(super) fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl Drop for GuardedRange {
    fn drop(&mut self) {
        self.0.len.store(0, Ordering::Release);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = &mut *free {
            free.slots.push(self.0);
        }
    }
}

/// Installs the handler.
fn install() -> Free {
    // If a signal arrives before it is set, no mapping exists yet, and the default action is right.
    PREVIOUS.get_or_init(take_over);
    Free { slots: FIRST.slots.iter().collect(), last: &FIRST }
}

/// Installs our handler. Returns the previous one.
fn take_over() -> libc::sigaction {
    // SAFETY: a `sigaction` of zeros is valid: default action, empty mask, no flags.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) =
        unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_sigbus as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
    // SAFETY: both structures are valid, and the handler has the signature that SA_SIGINFO asks
    // for. It does nothing but what a signal handler may do, which this call is as well.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous) };
    previous
}

extern "C" fn on_sigbus(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `info` to a SA_SIGINFO handler, and `si_addr` reads a field
    // that is initialised in any case; it is the address if the kernel raised the signal itself.
    let (raised_by_kernel, address) = unsafe { ((*info).si_code > 0, (*info).si_addr().addr()) };
    let ours = if raised_by_kernel { find(address) } else { None };
    if !ours.is_some_and(|(slot, start, len)| replace_by_zero_pages(slot, start, len)) {
        forward(signal, info, context);
        // A signal that a process has sent is not a fault of an access, and must not end the
        // process: the handler stays installed. (The standard library's handler uninstalls itself,
        // to fault again.)
        if !raised_by_kernel {
            take_over();
        }
    }
}

/// Finds the mapping that contains an address.
///
/// The mapping is alive, because the interrupted code accesses it. Its slot was filled before that,
/// so its content is consistent. Another slot may change meanwhile, but only from and to ranges
/// that do not contain the address: a previous owner of the address released its slot before the
/// address was mapped anew.
fn find(address: usize) -> Option<(&'static Slot, usize, usize)> {
    let mut block = Some(&FIRST);
    while let Some(Block { slots, next }) = block {
        for slot in slots {
            let len = slot.len.load(Ordering::Acquire);
            let start = slot.start.load(Ordering::Acquire);
            let whole = len == slot.len.load(Ordering::Acquire);
            if whole && address.wrapping_sub(start) < len {
                return Some((slot, start, len));
            }
        }
        block = next.get().copied();
    }
    None
}

fn replace_by_zero_pages(slot: &Slot, start: usize, len: usize) -> bool {
    // SAFETY: always valid to ask for; `errno` belongs to this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. The interrupted code must find its `errno` unchanged.
    let saved = unsafe { *errno };
    // First, so that no thread mistakes the zeros for the data.
    slot.lost.store(true, Ordering::Release);
    // SAFETY: the range is exactly a mapping of ours, alive because the interrupted code touches
    // it, and no reference into it exists (it is accessed through raw pointers and atomics only),
    // so replacing its pages cannot invalidate anything. `mmap` is a plain system call.
    let replaced = unsafe {
        libc::mmap(
            ptr::with_exposed_provenance_mut(start),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    // SAFETY: as above.
    unsafe { *errno = saved };
    replaced != libc::MAP_FAILED
}

/// Forwards a signal that does not concern us to the previous handler.
fn forward(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // SAFETY: restores the default; returning repeats the access, which then ends the process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    if previous.is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0) {
        // SAFETY: installed with SA_SIGINFO, so it is a function of this signature.
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) =
            unsafe { std::mem::transmute(handler) };
        handler(signal, info, context);
    } else {
        // SAFETY: installed without SA_SIGINFO, so it is a function of this signature.
        let handler: extern "C" fn(i32) = unsafe { std::mem::transmute(handler) };
        handler(signal);
    }
}
