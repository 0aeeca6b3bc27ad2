//! Waits for an epoll set to the nanosecond, which `nix` lacks.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::EpollEvent;

/// `struct __kernel_timespec`: 64 bits each, whatever the C library's `timespec` has.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

/// Waits for at most `timeout` until something in the set is ready. Returns the number of events
/// that it has stored.
///
/// # Errors
///
/// Those of `epoll_pwait2(2)`: ENOSYS before Linux 5.11.
pub(crate) fn epoll_pwait2(
    set: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Duration,
) -> nix::Result<usize> {
    let timeout = KernelTimespec {
        seconds: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        nanoseconds: timeout.subsec_nanos().into(),
    };
    let count = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
    let no_mask: *const libc::sigset_t = ptr::null();
    // SAFETY: `events` has room for `count` events, and `EpollEvent` is a transparent
    // `epoll_event`; `timeout` has the layout that the kernel reads. Both outlive the call. Without
    // a signal mask its size is not looked at.
    let waited = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            set.as_raw_fd(),
            events.as_mut_ptr(),
            count,
            &raw const timeout,
            no_mask,
            0_usize,
        )
    };
    usize::try_from(waited).map_err(|_| Errno::last())
}
