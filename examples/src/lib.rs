//! What several of the examples need.

mod disk;
mod disk_queue;
mod page;

pub use disk::{Disk, DiskError};
pub use disk_queue::{DiskQueue, Finished, Transfer};
pub use page::page;
