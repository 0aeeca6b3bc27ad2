//! Expiry of timers.

use std::time::Instant;

use super::{PciDevice, PciFunction};
use crate::device::Clock;

impl<D: PciDevice> PciFunction<D> {
    pub(crate) fn clock(&self) -> &Clock {
        &self.runtime.clock
    }

    /// Returns the earliest deadline, and the index of its timer.
    pub(crate) fn next_timer(&self) -> Option<(Instant, usize)> {
        let deadline = |index| Some((self.device.timer(index)?.deadline()?, index));
        (0..D::TIMERS.len()).filter_map(deadline).min()
    }

    /// Runs the hooks of timers that have expired, in order. A timer that is armed again and due at
    /// once waits for the next turn if other timers are due.
    pub(crate) fn expire_timers(&mut self) {
        for _ in D::TIMERS {
            let Some((deadline, index)) = self.next_timer() else { return };
            if deadline > self.runtime.clock.now() {
                return;
            }
            if let Some(timer) = self.device.timer_mut(index) {
                timer.expire();
            }
            self.call_timer(index);
        }
    }

    pub(super) fn disarm_timers(&mut self) {
        for index in 0..D::TIMERS.len() {
            if let Some(timer) = self.device.timer_mut(index) {
                timer.cancel();
            }
        }
    }
}
