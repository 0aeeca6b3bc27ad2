//! Processors.

use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rustix::thread::{CpuSet, sched_setaffinity};
use vfio_user::Result;

/// Lets the calling thread, and what it starts, run on one processor alone.
///
/// # Errors
///
/// If the process may not use it.
pub fn pin(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    Ok(sched_setaffinity(None, &cpus).map_err(io::Error::from)?)
}

/// Returns the processor time that the calling thread has used.
///
/// # Panics
///
/// Never: every kernel has this clock.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock of this thread").into()
}
