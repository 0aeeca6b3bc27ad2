//! Times in a histogram.

use std::time::Duration;

/// Buckets of a power of two.
const FINE: u64 = 32;

/// The distribution of times, to 1/32 of each.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Counts of 0 to 63 ns, then 32 of each further power of two.
    buckets: Vec<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { buckets: vec![0; 60 * 32] }
    }
}

impl Latency {
    /// Adds a time.
    #[inline]
    pub fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
    }

    /// Returns the time below which a share of the times is, in nanoseconds; 0 without any.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a rank")]
    #[expect(clippy::cast_sign_loss, reason = "a share is positive")]
    pub fn percentile(&self, share: f64) -> u64 {
        let count: u64 = self.buckets.iter().sum();
        let mut rest = (count as f64 * share / 100.0).ceil() as u64;
        let place = self.buckets.iter().position(|bucket| {
            rest = rest.saturating_sub(*bucket);
            rest == 0
        });
        place.map_or(0, |place| if count == 0 { 0 } else { start(place as u64) })
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(2 * FINE - 1).ilog2() - FINE.ilog2();
    let bucket = FINE * u64::from(shift) + (nanos >> shift);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// Returns the first time of a bucket.
fn start(bucket: u64) -> u64 {
    let shift = (bucket / FINE).saturating_sub(1);
    (bucket - FINE * shift) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_a_32nd_too_small() {
        let mut latency = Latency::default();
        (1..=10_000).for_each(|nanos| latency.record(Duration::from_nanos(nanos)));
        for (share, exact) in [(0.1, 10), (50.0, 5_000), (99.0, 9_900), (100.0, 10_000)] {
            let nanos = latency.percentile(share);
            assert!((exact - exact / 32 - 1..=exact).contains(&nanos), "{share} % is {nanos} ns");
        }
    }

    #[test]
    fn every_time_has_a_bucket() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(50.0), 0);
        latency.record(Duration::MAX);
        latency.record(Duration::ZERO);
        assert_eq!(latency.percentile(50.0), 0);
        assert!(latency.percentile(100.0) > u64::MAX / 32 * 31);
    }
}
