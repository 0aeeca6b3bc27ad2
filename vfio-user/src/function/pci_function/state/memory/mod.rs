//! The transfer of shared memory into a stream and back.

mod digest;
mod estimate;
mod load;
mod ranges;
mod save;

pub(in super::super) use estimate::unsent;
pub(super) use load::MemoryLoad;
pub(in super::super) use load::MemoryRestore;
pub(super) use save::{MemorySave, Step};

/// The unit in which memory is compared, sent and restored, in bytes.
const PAGE: usize = 4096;
const PAGE_SIZE: u64 = PAGE as u64;
