//! How long a thread polls for work before it sleeps.

use std::time::Duration;

/// The time that a thread polls for work before it sleeps. It adapts to the sleeps that polling has
/// saved recently, up to a limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spin {
    /// The maximum; zero disables polling.
    limit: Duration,
    now: Duration,
}

impl Spin {
    /// The initial time, and the last one before polling stops.
    const LEAST: Duration = Duration::from_micros(10);

    pub(super) fn new(limit: Duration) -> Self {
        Spin { limit, now: limit }
    }

    pub(super) fn is_off(self) -> bool {
        self.limit.is_zero()
    }

    /// Returns whether it has polled for long enough.
    pub(super) fn is_over(self, polled: Duration) -> bool {
        polled >= self.now
    }

    /// Adapts to a sleep and the whole time of the wait. A longer poll would have saved a short
    /// wait; a long wait means that there is little to do.
    pub(super) fn slept(&mut self, waited: Duration) {
        let next = if waited <= self.limit { self.now.saturating_mul(2) } else { self.now / 2 };
        self.now = match next {
            _ if waited <= self.limit => next.clamp(Self::LEAST.min(self.limit), self.limit),
            next if next < Self::LEAST => Duration::ZERO,
            next => next,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Returns the number of polls, of a microsecond each, before it sleeps.
    fn poll_count(spin: Spin) -> u64 {
        (0..1000).find(|polled| spin.is_over(micros(*polled))).unwrap()
    }

    #[test]
    fn without_a_limit_there_is_no_look() {
        let mut spin = Spin::default();
        assert!(spin.is_off());
        for waited in [0, 1, 1_000_000] {
            spin.slept(micros(waited));
            assert_eq!(poll_count(spin), 0);
        }
    }

    #[test]
    fn a_thread_with_little_to_do_looks_less_and_less_and_then_not_at_all() {
        let mut spin = Spin::new(micros(100));
        let counts = [(); 6].map(|()| {
            let count = poll_count(spin);
            spin.slept(micros(5000));
            count
        });
        assert_eq!(counts, [100, 50, 25, 13, 0, 0]);
    }

    #[test]
    fn short_waits_bring_the_looks_back_up_to_the_limit() {
        let mut spin = Spin::new(micros(100));
        (0..10).for_each(|_| spin.slept(micros(5000)));
        let counts = [(); 6].map(|()| {
            let count = poll_count(spin);
            spin.slept(micros(60));
            count
        });
        assert_eq!(counts, [0, 10, 20, 40, 80, 100]);
        let mut short = Spin::new(micros(3));
        (0..4).for_each(|_| short.slept(micros(9)));
        short.slept(micros(2));
        assert_eq!(poll_count(short), 3, "a limit below what it begins with");
    }
}
