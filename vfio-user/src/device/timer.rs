//! Timers, which are fields of a device.

use std::time::{Duration, Instant};

use super::{Cx, Device};
use crate::wait::FOR_EVER;

/// A field that calls a hook when a time has passed.
///
/// ```
/// use std::time::Duration;
/// use vfio_user::{Bench, Cx, Device, PciDevice, Timer};
///
/// /// Barks unless it is patted once a second.
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// #[irq(msix = 1)]
/// struct Watchdog {
///     #[reg(0x00, on_write = Self::pat)]
///     pat: u32,
///     #[timer(Self::bark)]
///     patience: Timer,
/// }
///
/// impl Device for Watchdog {
///     type Event = ();
/// }
///
/// impl Watchdog {
///     fn pat(&mut self, cx: &mut Cx<'_, Self>, _: u32, _: u32) {
///         self.patience.arm(cx, Duration::from_secs(1));
///     }
///
///     fn bark(&mut self, cx: &mut Cx<'_, Self>) {
///         cx.irq(0).raise();
///         self.patience.arm_again(cx, Duration::from_secs(1));
///     }
/// }
///
/// // On a bench the clock is the test's.
/// let mut bench = Bench::new(Watchdog::default())?;
/// bench.write(0, 0x00, 1_u32);
/// bench.advance(Duration::from_millis(999));
/// assert_eq!(bench.take_irq(0), 0);
/// bench.advance(Duration::from_millis(2001));
/// assert_eq!(bench.take_irq(0), 3);
/// # Ok::<(), vfio_user::Error>(())
/// ```
///
/// The hook runs on the device's thread and never early. It is late by the time that it takes to
/// wake the thread, some tens of microseconds, and to finish the work of the thread's other
/// devices. While a timer is armed, the thread waits for it as well as for its client, which costs
/// one more system call a request. A reset disarms the timer; its remaining time migrates with the
/// device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    deadline: Option<Instant>,
    /// The deadline at which the timer last expired.
    expired: Option<Instant>,
}

impl Timer {
    /// Arms the timer to expire once, `after` from now, and replaces any earlier deadline.
    pub fn arm<D: Device>(&mut self, cx: &Cx<'_, D>, after: Duration) {
        self.deadline = Some(cx.now() + after.min(FOR_EVER));
    }

    /// Arms the timer again from its hook, one period after its last deadline.
    ///
    /// However late hooks run, periods do not drift; missed periods are skipped.
    pub fn arm_again<D: Device>(&mut self, cx: &Cx<'_, D>, period: Duration) {
        let (now, period) = (cx.now(), period.min(FOR_EVER));
        let last = self.expired.unwrap_or(now);
        let late = now.saturating_duration_since(last).as_nanos();
        let missed = late.checked_div(period.as_nanos()).unwrap_or(0);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.deadline = Some(match period.checked_mul(missed) {
            Some(missed) => (last + missed + period).max(now),
            None => now + period,
        });
    }

    /// Disarms the timer.
    pub fn cancel(&mut self) {
        self.deadline = None;
    }

    /// Returns whether the timer is armed.
    pub fn is_armed(&self) -> bool {
        self.deadline.is_some()
    }

    /// Returns the remaining time; `None` if the timer is not armed.
    pub fn remaining<D: Device>(&self, cx: &Cx<'_, D>) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(cx.now()))
    }

    /// Restores a timer from its remaining time.
    pub(crate) fn with_remaining(left: Option<Duration>, now: Instant) -> Self {
        Timer { deadline: left.map(|left| now + left.min(FOR_EVER)), expired: None }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Marks the timer as expired.
    pub(crate) fn expire(&mut self) {
        self.expired = self.deadline.take();
    }
}

/// The type of a field with `#[timer]`.
#[diagnostic::on_unimplemented(
    message = "a field with `#[timer]` is a `Timer`, not a `{Self}`",
    label = "expected `Timer`"
)]
pub trait TimerField {
    /// Returns the timer.
    fn timer(&self) -> &Timer;
    /// Returns the timer, to change it.
    fn timer_mut(&mut self) -> &mut Timer;
}

impl TimerField for Timer {
    fn timer(&self) -> &Timer {
        self
    }

    fn timer_mut(&mut self) -> &mut Timer {
        self
    }
}
