//! Devices by number.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a device of a [`Server`](super::Server), unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServedId(u64);

impl fmt::Display for ServedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ServedId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        ServedId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
