//! The times at which the device's thread polls memory that guests write without a message.

use std::time::{Duration, Instant};

/// The schedule of looks at watched registers.
///
/// Nothing wakes the thread when a guest stores to memory, so the thread polls, and the longer
/// nothing has changed, the less often:
///
/// | quiet for | the next look is after |
/// |---|---|
/// | less than 100 µs | no pause |
/// | up to 400 µs | 1/8 of the quiet time |
/// | up to 10 ms | 50 µs |
/// | up to 1 s | 1/200 of the quiet time |
/// | longer | 5 ms |
///
/// So a change after a quiet time of up to 10 ms is seen within 50 µs, and a later one within 0.5 %
/// of that time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    changed: Instant,
    next: Instant,
}

impl Pace {
    /// The quiet time before the first pause.
    const BUSY: Duration = Duration::from_micros(100);
    /// The fraction of the quiet time that a pause takes at first, and the end of that stage.
    const FIRST_PART: u32 = 8;
    const SHORT: Duration = Duration::from_micros(50);
    /// The fraction of the quiet time that a pause takes later, and the end of that stage.
    const PART: u32 = 200;
    const LONGEST: Duration = Duration::from_millis(5);

    /// Starts as after a change at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Pace { changed: now, next: now }
    }

    /// Notes a look at `now`, and whether it found a change since the look before.
    pub(super) fn polled(&mut self, now: Instant, changed: bool) {
        if changed {
            self.changed = now;
        }
        self.next = now + Self::pause(now.saturating_duration_since(self.changed));
    }

    /// Returns the time of the next look, in the past if there is no pause.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    fn pause(quiet: Duration) -> Duration {
        if quiet < Self::BUSY {
            return Duration::ZERO;
        }
        let short = (quiet / Self::FIRST_PART).min(Self::SHORT);
        (quiet / Self::PART).clamp(short, Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Returns the times between looks while nothing changes for `quiet`.
    fn looks(quiet: Duration) -> Vec<Duration> {
        let start = Instant::now();
        let (mut pace, mut now) = (Pace::new(start), start);
        let mut pauses = Vec::new();
        while now < start + quiet {
            pace.polled(now, false);
            // A look takes a microsecond.
            let next = pace.next().max(now + micros(1));
            pauses.push(next - now);
            now = next;
        }
        pauses
    }

    #[test]
    fn the_pause_follows_from_how_long_nothing_has_changed() {
        let table = [
            (0, 0),
            (99, 0),
            (100, 12),
            (200, 25),
            (400, 50),
            (1_000, 50),
            (10_000, 50),
            (20_000, 100),
            (200_000, 1_000),
            (1_000_000, 5_000),
            (3_600_000_000, 5_000),
        ];
        for (quiet, pause) in table {
            assert_eq!(Pace::pause(micros(quiet)).as_micros(), pause, "after {quiet} µs");
        }
    }

    #[test]
    fn a_change_is_seen_within_fifty_microseconds_or_half_a_percent_of_the_quiet_time() {
        let mut quiet = Duration::ZERO;
        for pause in looks(Duration::from_secs(2)) {
            assert!(pause <= micros(50).max(quiet / 200) && pause <= micros(5_000), "at {quiet:?}");
            quiet += pause;
        }
    }

    #[test]
    fn an_idle_device_looks_two_hundred_times_a_second() {
        let count = |from, to| looks(to).len() - looks(from).len();
        assert_eq!(count(micros(1_000), micros(10_000)), 180);
        assert!(count(micros(10_000), Duration::from_secs(1)) < 1_000);
        assert_eq!(count(Duration::from_secs(2), Duration::from_secs(3)), 200);
    }

    #[test]
    fn a_change_ends_the_pauses_and_a_look_for_another_reason_puts_the_next_one_off() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.polled(start + micros(800), false);
        assert_eq!(pace.next(), start + micros(850));
        pace.polled(start + micros(820), false);
        assert_eq!(pace.next(), start + micros(870));
        pace.polled(start + micros(840), true);
        assert_eq!(pace.next(), start + micros(840));
        pace.polled(start + micros(939), false);
        assert_eq!(pace.next(), start + micros(939));
    }
}
