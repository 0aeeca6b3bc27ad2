//! What several of the examples need.

mod disk;

pub use disk::{Disk, DiskError};
