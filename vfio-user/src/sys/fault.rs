//! Surviving SIGBUS: a client may truncate the file behind memory that it has shared.
//!
//! While a thread copies, it says which mapping it touches. A SIGBUS inside that mapping replaces
//! the whole of it by private zero pages and marks it lost, and the copy goes on to its end; it is
//! then reported as failed. Any other SIGBUS goes to whoever handled it before.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use nix::libc;

/// The mapping that this thread is touching.
#[derive(Clone, Copy)]
struct Touched {
    start: usize,
    len: usize,
    lost: *const AtomicBool,
}

thread_local! {
    // Constant and without a destructor, so that the handler may read it at any time.
    static TOUCHED: Cell<Option<Touched>> = const { Cell::new(None) };
}

static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Runs `access`, which touches the `len` bytes from `start`, a whole mapping, and lets it survive
/// their disappearance; `lost` is set then.
pub(super) fn guarded<R>(
    start: *mut u8,
    len: usize,
    lost: &AtomicBool,
    access: impl FnOnce() -> R,
) -> R {
    let _outer = Outer(TOUCHED.replace(Some(Touched { start: start.addr(), len, lost })));
    // The handler runs on this thread, between any two instructions of the access.
    compiler_fence(Ordering::SeqCst);
    access()
}

/// What was touched before: an access may be within another, and may panic.
struct Outer(Option<Touched>);

impl Drop for Outer {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        TOUCHED.set(self.0);
    }
}

/// Installs the handler, once in a process.
pub(super) fn install() {
    PREVIOUS.get_or_init(|| {
        // SAFETY: a `sigaction` of zeros is valid: default action, empty mask, no flags.
        let (mut action, mut previous): (libc::sigaction, libc::sigaction) =
            unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_sigbus as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
        // SAFETY: both structures are valid, and the handler has the signature that SA_SIGINFO
        // asks for. It does nothing but what a signal handler may do. Should a signal come
        // before `PREVIOUS` is set, no mapping exists yet, and the default action is right.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous) };
        previous
    });
}

extern "C" fn on_sigbus(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `info` to a SA_SIGINFO handler, and `si_addr` reads a field
    // that is initialised in any case; it is the address if the kernel raised the signal itself.
    let (raised_by_kernel, address) = unsafe { ((*info).si_code > 0, (*info).si_addr().addr()) };
    let ours = TOUCHED
        .get()
        .filter(|touched| raised_by_kernel && address.wrapping_sub(touched.start) < touched.len);
    if !ours.is_some_and(replace_by_zero_pages) {
        forward(signal, info, context);
    }
}

fn replace_by_zero_pages(touched: Touched) -> bool {
    // SAFETY: always valid to ask for; `errno` belongs to this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. The interrupted code must find its `errno` unchanged.
    let saved = unsafe { *errno };
    // First of all, so that no thread takes the zeros for what was there.
    // SAFETY: `guarded` holds the reference that this pointer was made of.
    unsafe { (*touched.lost).store(true, Ordering::Release) };
    // SAFETY: the range is exactly a mapping of ours, alive because `guarded` borrows its owner,
    // and no reference into it exists (it is accessed through volatile raw pointers only), so
    // replacing its pages cannot invalidate anything. `mmap` is a plain system call.
    let replaced = unsafe {
        libc::mmap(
            ptr::with_exposed_provenance_mut(touched.start),
            touched.len,
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

/// Hands a signal that is not ours to the handler that was there before.
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
