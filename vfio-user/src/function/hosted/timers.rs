//! Timers: which comes first, and what happens then.

use std::time::Instant;

use super::{Hosted, PciDevice};
use crate::device::Clock;

impl<D: PciDevice> Hosted<D> {
    pub(crate) fn clock(&self) -> &Clock {
        &self.runtime.clock
    }

    /// The deadline that comes first, and the place of its timer.
    pub(crate) fn next_timer(&self) -> Option<(Instant, usize)> {
        let deadline = |place| Some((self.device.timer(place)?.deadline()?, place));
        (0..D::TIMERS.len()).filter_map(deadline).min()
    }

    /// Runs the hooks of timers whose time has come, in order; one that is armed anew, and due again,
    /// has to wait for the next turn if there are others.
    pub(crate) fn expire_timers(&mut self) {
        for _ in D::TIMERS {
            let Some((deadline, place)) = self.next_timer() else { return };
            if deadline > self.runtime.clock.now() {
                return;
            }
            if let Some(timer) = self.device.timer_mut(place) {
                timer.expire();
            }
            self.call_timer(place);
        }
    }

    pub(super) fn disarm_timers(&mut self) {
        for place in 0..D::TIMERS.len() {
            if let Some(timer) = self.device.timer_mut(place) {
                timer.cancel();
            }
        }
    }
}
