//! How many requests have taken how long.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// The numbers of requests by their time: four intervals for each power of two of nanoseconds. So
/// memory does not grow with their number, and a time is known to a quarter.
pub(super) struct Latencies {
    counts: [u64; Self::INTERVALS],
    max: u32,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) p50: u32,
    pub(super) p90: u32,
    pub(super) p99: u32,
    pub(super) p99_9: u32,
    pub(super) max: u32,
}

impl Latencies {
    const INTERVALS: usize = 128;
    /// The requests that warm up.
    const WARM: usize = 100;

    /// Repeats a request for some time.
    pub(super) fn measure<E>(
        time: Duration,
        mut request: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut measured = Latencies { counts: [0; Self::INTERVALS], max: 0 };
        (0..Self::WARM).try_for_each(|_| request())?;
        let start = Instant::now();
        let mut before = start;
        while before - start < time {
            request()?;
            let now = Instant::now();
            measured.add(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
            before = now;
        }
        Ok(measured)
    }

    fn add(&mut self, nanoseconds: u32) {
        self.counts[interval(nanoseconds)] += 1;
        self.max = self.max.max(nanoseconds);
    }

    pub(super) fn summary(&self) -> Summary {
        let [p50, p90, p99, p99_9] = [500, 900, 990, 999].map(|permille| self.percentile(permille));
        Summary { count: self.counts.iter().sum(), p50, p90, p99, p99_9, max: self.max }
    }

    /// Returns the time within which this many of a thousand requests ended: the middle of the
    /// interval.
    fn percentile(&self, permille: u64) -> u32 {
        let wanted = self.counts.iter().sum::<u64>() * permille / 1000;
        let mut before = 0;
        let found = self.counts.iter().position(|count| {
            before += count;
            before > wanted
        });
        found.map_or(self.max, |found| {
            (start(found) / 2).saturating_add(start(found + 1) / 2).min(self.max)
        })
    }
}

/// Returns how often a second `work` is done.
pub(super) fn rate<E>(time: Duration, mut work: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    work()?;
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < time {
        work()?;
        count += 1.0;
    }
    Ok(count / start.elapsed().as_secs_f64())
}

/// Returns the interval of a time.
fn interval(nanoseconds: u32) -> usize {
    let time = nanoseconds.max(4);
    let power = time.ilog2();
    let quarter = (time >> (power - 2)) & 3;
    ((power << 2) | quarter) as usize
}

/// Returns the first time of an interval.
fn start(interval: usize) -> u32 {
    let (power, quarter) = (interval / 4, u64::try_from(interval % 4).unwrap_or(0));
    let start = power.checked_sub(2).map_or(0, |shift| (4 + quarter) << shift);
    u32::try_from(start).unwrap_or(u32::MAX)
}

/// Prints a line for each interval that has requests, up to 99.9 percent of them.
impl Display for Latencies {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const WIDTH: u64 = 50;
        let (most, last) =
            (self.counts.iter().max().copied().unwrap_or(0).max(1), self.percentile(999));
        for (interval, count) in self.counts.iter().enumerate() {
            let from = start(interval);
            if *count == 0 || from > last {
                continue;
            }
            let bar = "█".repeat(usize::try_from((count * WIDTH).div_ceil(most)).unwrap_or(0));
            writeln!(f, "{from:>9} ns {count:>9} {bar}")?;
        }
        Ok(())
    }
}

/// The first time of each interval that has requests, and their number.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        serializer.collect_seq(counts.map(|(interval, count)| (start(interval), *count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_follow_each_other() {
        for time in [4, 5, 7, 8, 9, 10, 15, 16, 1000, 1_000_000, u32::MAX - 1, u32::MAX] {
            let interval = interval(time);
            assert!(interval < Latencies::INTERVALS);
            assert!(start(interval) <= time, "{time}");
            assert!(interval == 127 || start(interval + 1) > time, "{time}");
        }
    }

    #[test]
    fn percentiles_are_in_the_interval_of_the_request() {
        let mut latencies = Latencies { counts: [0; Latencies::INTERVALS], max: 0 };
        (1..=1000).for_each(|time| latencies.add(time * 100));
        let Summary { count, p50, p90, p99, max, .. } = latencies.summary();
        assert_eq!((count, max), (1000, 100_000));
        for (measured, expected) in [(p50, 50_000), (p90, 90_000), (p99, 99_000)] {
            assert_eq!(interval(measured), interval(expected));
        }
    }
}
