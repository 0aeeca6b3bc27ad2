//! Expiry of timers.

use std::time::Instant;

use super::{PciDevice, PciFunction};
use crate::device::Clock;
use crate::model::{Slot, TimerName};

impl<D: PciDevice> PciFunction<D> {
    pub(crate) fn clock(&self) -> &Clock {
        &self.runtime.clock
    }

    /// Returns the earliest deadline.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.armed_timers().map(|(deadline, _)| deadline).min()
    }

    fn armed_timers(&self) -> impl Iterator<Item = (Instant, Slot)> {
        let timers = self.descriptor.timer_slots();
        timers.filter_map(|slot| Some((self.device.timer(slot)?.deadline()?, slot)))
    }

    /// Runs the hooks of timers that have expired, in the order of their deadlines. A timer that a
    /// hook arms waits for the next turn, even if it is due at once.
    pub(crate) fn expire_timers(&mut self) {
        let now = self.runtime.clock.now();
        let mut due: Vec<_> =
            self.armed_timers().filter(|(deadline, _)| *deadline <= now).collect();
        sort_by_deadline(&mut due);
        for (deadline, slot) in due {
            self.expire_timer(slot, deadline);
        }
    }

    /// Runs the hook of a timer, unless another hook has changed the deadline.
    fn expire_timer(&mut self, slot: Slot, deadline: Instant) {
        let now = self.runtime.clock.now();
        let timer = self.device.timer_mut(slot);
        let Some(timer) = timer.filter(|timer| timer.deadline() == Some(deadline)) else { return };
        timer.expire(now);
        let missed = timer.missed();
        let name = TimerName { descriptor: &self.descriptor, slot };
        if missed == 0 {
            tracing::trace!("{}.{name}: expired", self.descriptor.name());
        } else {
            tracing::trace!("{}.{name}: expired, {missed} missed", self.descriptor.name());
        }
        self.call_timer(slot);
    }

    pub(super) fn disarm_timers(&mut self) {
        for slot in self.descriptor.timer_slots() {
            if let Some(timer) = self.device.timer_mut(slot) {
                timer.cancel();
            }
        }
    }
}

/// Not generic: a sort takes more code than all else here, and each device would have its own.
fn sort_by_deadline(due: &mut [(Instant, Slot)]) {
    due.sort_by_key(|(deadline, _)| *deadline);
}
