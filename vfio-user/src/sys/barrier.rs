//! A barrier that the others pay nothing for.

use nix::libc;

/// What every other thread of the process has done before this, is done for everybody; what it does
/// afterwards sees what was done here before.
///
/// Where the system knows no such call it is left to the processor, which takes its time in theory alone:
/// no store stays in a buffer for as long as the next message takes.
pub(crate) fn barrier_everywhere() {
    /// `MEMBARRIER_CMD_GLOBAL`.
    const GLOBAL: libc::c_int = 1;
    // SAFETY: a system call that takes numbers and touches no memory of ours.
    let _ = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) };
}
