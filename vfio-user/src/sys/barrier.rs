//! A memory barrier for all threads that costs only the calling thread.

use std::sync::OnceLock;

use nix::libc;

/// Orders memory accesses between this thread and every other thread of the process. What another
/// thread has done before the barrier is visible to all threads after it; what that thread does
/// afterwards sees what this thread did before.
///
/// Without the system call, this relies on the processor, whose delay is only theoretical: no store
/// stays in a buffer for as long as the next message takes.
pub(crate) fn barrier_everywhere() {
    static HAS_EXPEDITED: OnceLock<bool> = OnceLock::new();
    // Only this process's threads matter, and `GLOBAL` waits many milliseconds for all others.
    let is_expedited = *HAS_EXPEDITED.get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED));
    if !is_expedited || !membarrier(PRIVATE_EXPEDITED) {
        membarrier(GLOBAL);
    }
}

/// Commands of `membarrier(2)`.
const GLOBAL: libc::c_int = 1 << 0;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

/// Returns whether the system supports and performs the command.
fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: a system call that takes numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_has_a_barrier_for_this_process_alone() {
        barrier_everywhere();
        assert!(membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED));
    }
}
