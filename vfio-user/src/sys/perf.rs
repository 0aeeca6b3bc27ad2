//! For tests: descriptors of anonymous files that can be mapped.

use std::os::fd::{FromRawFd as _, OwnedFd};

use nix::libc;

/// A performance counter that counts nothing, whose page can be mapped; `None` where the system
/// refuses.
pub(crate) fn counter() -> Option<OwnedFd> {
    // `perf_event_attr`: a software event that is none, of this structure's first version.
    let attributes = [1_u32, 64, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (this_thread, any_processor, no_group, close_on_exec) = (0, -1, -1, 8_u64);
    // SAFETY: a system call that reads 64 bytes of `attributes`.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            attributes.as_ptr(),
            this_thread,
            any_processor,
            no_group,
            close_on_exec,
        )
    };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just made it, and nothing else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}
