//! The timers of a device, and the passing of time.

use std::time::Duration;

use crate::bench::Bench;
use crate::device::{PciDevice, Timer};

/// The most expirations while a test lets time pass.
const MOST_EXPIRATIONS: u32 = 32;

/// Lets time pass, or less of it if timers expire too often.
pub(super) fn pass<D: PciDevice>(bench: &mut Bench<D>, time: Duration) {
    bench.advance_until(time, MOST_EXPIRATIONS);
}

/// The timers of a device by name, with the remaining time; `None` if a timer is not armed.
#[derive(Debug)]
pub(super) struct Timers(Vec<(&'static str, Option<Duration>)>);

impl Timers {
    pub(super) fn take<D: PciDevice>(bench: &Bench<D>) -> Self {
        let now = bench.function().clock().now();
        let left = |place| {
            let deadline = bench.device().timer(place).and_then(Timer::deadline);
            deadline.map(|deadline| deadline.saturating_duration_since(now))
        };
        let names = D::TIMERS.iter().enumerate();
        Timers(names.map(|(place, name)| (*name, left(place))).collect())
    }

    /// Returns the first timer that is armed here and not in `other`, except the exempt ones.
    pub(super) fn first_disarmed(&self, other: &Timers, spared: &[&str]) -> Option<&'static str> {
        self.pairs(other, spared)
            .find_map(|(name, one, other)| (one.is_some() && other.is_none()).then_some(name))
    }

    /// Returns the first timer whose remaining time differs, and both times.
    pub(super) fn first_different(
        &self,
        other: &Timers,
        spared: &[&str],
    ) -> Option<(&'static str, Option<Duration>, Option<Duration>)> {
        self.pairs(other, spared).find(|(_, one, other)| one != other)
    }

    fn pairs<'a>(
        &'a self,
        other: &'a Timers,
        spared: &'a [&'a str],
    ) -> impl Iterator<Item = (&'static str, Option<Duration>, Option<Duration>)> + 'a {
        let pairs =
            self.0.iter().zip(&other.0).map(|((name, one), (_, other))| (*name, *one, *other));
        pairs.filter(move |(name, ..)| !spared.contains(name))
    }
}
