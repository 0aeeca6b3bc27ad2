//! Shared memory on its way into a stream and back.

mod load;
mod save;

pub(super) use load::MemoryLoad;
pub(super) use save::MemorySave;

/// What is looked at, sent and taken back as a whole, in bytes.
const PAGE: usize = 4096;
const PAGE_SIZE: u64 = PAGE as u64;
