//! The timers of a device, and the passing of time.

use std::time::Duration;

use crate::bench::Bench;
use crate::device::{PciDevice, SavedTimer};
use crate::model::{Block, Descriptor, Slot, TimerName};

/// The most expirations while a test lets time pass.
const MOST_EXPIRATIONS: u32 = 32;

/// Lets time pass, or less of it if timers expire too often.
pub(super) fn pass<D: PciDevice>(bench: &mut Bench<D>, time: Duration) {
    bench.advance_until(time, MOST_EXPIRATIONS);
}

/// Returns the name that exempts a timer: `patience`, `queues.patience`.
pub(super) fn column(descriptor: &Descriptor, slot: Slot) -> String {
    let timer = descriptor.timer(slot);
    let block = timer.and_then(|(_, block)| block).map(Block::path);
    let names = block.into_iter().chain(timer.map(|(timer, _)| timer.name().to_owned()));
    names.collect::<Vec<_>>().join(".")
}

/// The timers of a device, as they are saved.
#[derive(Debug)]
pub(super) struct Timers {
    descriptor: Descriptor,
    timers: Vec<(Slot, Option<SavedTimer>)>,
}

/// A timer with another value in another device.
pub(super) struct TimerDifference {
    pub(super) name: String,
    pub(super) one: Option<SavedTimer>,
    pub(super) other: Option<SavedTimer>,
}

impl Timers {
    pub(super) fn take<D: PciDevice>(bench: &Bench<D>) -> Self {
        let now = bench.function().clock().now();
        let descriptor = bench.function().descriptor().clone();
        let saved = |slot| (slot, bench.device().timer(slot).and_then(|timer| timer.save(now)));
        let timers = descriptor.timer_slots().map(saved).collect();
        Timers { descriptor, timers }
    }

    /// Returns the first timer that is armed here and not in `other`, except the exempt ones.
    pub(super) fn first_disarmed(&self, other: &Timers, spared: &[&str]) -> Option<String> {
        let is_disarmed = |one: &Option<_>, other: &Option<_>| one.is_some() && other.is_none();
        self.first(other, spared, is_disarmed).map(|found| found.name)
    }

    /// Returns the first timer that differs, except the exempt ones.
    pub(super) fn first_different(
        &self,
        other: &Timers,
        spared: &[&str],
    ) -> Option<TimerDifference> {
        self.first(other, spared, |one, other| one != other)
    }

    fn first(
        &self,
        other: &Timers,
        spared: &[&str],
        is_wanted: impl Fn(&Option<SavedTimer>, &Option<SavedTimer>) -> bool,
    ) -> Option<TimerDifference> {
        let descriptor = &self.descriptor;
        let pairs = self.timers.iter().zip(&other.timers);
        let mut found = pairs.filter(|((_, one), (_, other))| is_wanted(one, other));
        let is_spared = |slot| spared.contains(&column(descriptor, slot).as_str());
        let ((slot, one), (_, other)) = found.find(|((slot, _), _)| !is_spared(*slot))?;
        let name = TimerName { descriptor, slot: *slot }.to_string();
        Some(TimerDifference { name, one: *one, other: *other })
    }
}
