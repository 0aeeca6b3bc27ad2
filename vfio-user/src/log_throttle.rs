//! Log throttling for what a guest or a client can cause without end.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts a recurring event, to log it the first time and then only when the count has doubled.
///
/// Use it for everything that a guest can cause without end.
///
/// ```
/// use vfio_user::LogThrottle;
///
/// static REFUSED: LogThrottle = LogThrottle::new();
/// let logged: Vec<_> = (0..100).filter_map(|_| REFUSED.hit()).collect();
/// assert_eq!(logged, [1, 2, 4, 8, 16, 32, 64]);
/// ```
#[derive(Debug, Default)]
pub struct LogThrottle(AtomicU64);

impl LogThrottle {
    /// Creates a counter at 0.
    pub const fn new() -> Self {
        LogThrottle(AtomicU64::new(0))
    }

    /// Counts an event. Returns the count if it is to be logged.
    pub fn hit(&self) -> Option<u64> {
        let count = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        count.is_power_of_two().then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_logged_and_then_every_doubling_of_the_count() {
        let log_throttle = LogThrottle::default();
        let logged: Vec<_> = (0..1_000_000).filter_map(|_| log_throttle.hit()).collect();
        assert_eq!(logged, (0..20).map(|shift| 1 << shift).collect::<Vec<u64>>());
    }
}
