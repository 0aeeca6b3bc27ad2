//! Processors.

use std::io;

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
