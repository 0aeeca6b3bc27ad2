//! Guesses where the region of an address is in a table.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::PAGE_SIZE;

/// Where regions were found before, to try these first: devices use few pages at a time, such as
/// rings and buffers. The entries are guesses, and may refer to another table.
#[derive(Debug, Default)]
pub(super) struct Hint([AtomicU64; 32]);

impl Hint {
    /// Returns the guess for a page.
    #[inline]
    pub(super) fn of(&self, iova: u64) -> &AtomicU64 {
        // Fibonacci hashing: neighbours do not collide.
        let hash = (iova / PAGE_SIZE).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.0[(hash >> 59) as usize]
    }
}

impl Clone for Hint {
    fn clone(&self) -> Self {
        Hint(self.0.each_ref().map(|guess| AtomicU64::new(guess.load(Ordering::Relaxed))))
    }
}
