//! A barrier that the others pay nothing for.

use std::sync::OnceLock;

use nix::libc;

/// What every other thread of the process has done before this, is done for everybody; what it does
/// afterwards sees what was done here before.
///
/// Where the system knows no such call it is left to the processor, which takes its time in theory alone:
/// no store stays in a buffer for as long as the next message takes.
pub(crate) fn barrier_everywhere() {
    static HAS_EXPEDITED: OnceLock<bool> = OnceLock::new();
    // The threads that matter are this process's, and `GLOBAL` waits many milliseconds for all others.
    let is_expedited = *HAS_EXPEDITED.get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED));
    if !is_expedited || !membarrier(PRIVATE_EXPEDITED) {
        membarrier(GLOBAL);
    }
}

/// Commands of `membarrier(2)`.
const GLOBAL: libc::c_int = 1 << 0;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

/// Whether the system does it.
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
