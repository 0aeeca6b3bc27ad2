//! The time of a device.

use std::cell::Cell;
use std::time::Instant;

/// The time of a device: the system's, or on a bench the test's.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    stopped: Cell<Option<Instant>>,
}

impl Clock {
    /// A clock that stays at `time` until it is set again.
    pub(crate) fn stopped_at(time: Instant) -> Self {
        Clock { stopped: Cell::new(Some(time)) }
    }

    pub(crate) fn now(&self) -> Instant {
        self.stopped.get().unwrap_or_else(Instant::now)
    }

    /// Sets the clock to `time`, where it stays until it is set again.
    pub(crate) fn stop_at(&self, time: Instant) {
        self.stopped.set(Some(time));
    }
}
