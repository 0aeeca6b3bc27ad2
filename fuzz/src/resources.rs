//! What a process has open and mapped.

use std::thread;
use std::time::{Duration, Instant};

use vfio_user_tests::{PATIENCE, files};

/// Descriptors, and mappings of memory files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    descriptors: usize,
    mappings: usize,
}

impl Resources {
    pub(crate) fn count() -> Self {
        Resources { descriptors: files::count_open(), mappings: files::count_memory_mappings() }
    }

    /// Checks that there are as many again. Threads that close descriptors or end have some time.
    pub(crate) fn assert_back(self) {
        let start = Instant::now();
        while Self::count() != self {
            assert!(start.elapsed() < PATIENCE, "{self:?} before, {:?} after", Self::count());
            thread::sleep(Duration::from_micros(50));
        }
    }
}
