//! Timers, which are fields of a device.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

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
/// one more system call a request. A reset disarms the timer; its remaining time and its period
/// migrate with the device.
///
/// A [periodic](Self::arm_every) timer stays in phase however late its hook runs: one call of the
/// hook stands for all periods that have passed, and [`missed`](Self::missed) returns how many more
/// than one. Its deadlines are at least 50 µs apart, so that a guest that chooses a short period
/// does not keep the device's thread busy: with a period of 1 µs the hook runs every 50 µs, and has
/// missed 49 periods each time.
///
/// ```
/// use std::time::Duration;
/// use vfio_user::{Bench, Cx, Device, PciDevice, Timer};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Ticker {
///     /// In microseconds; 0 stops the ticks.
///     #[reg(0x00, on_write = Self::start)]
///     period: u32,
///     #[reg(0x04, ro)]
///     ticks: u32,
///     #[timer(Self::tick)]
///     timer: Timer,
/// }
///
/// impl Device for Ticker {
///     type Event = ();
/// }
///
/// impl Ticker {
///     fn start(&mut self, cx: &mut Cx<'_, Self>, _: u32, period: u32) {
///         match period {
///             0 => self.timer.cancel(),
///             period => self.timer.arm_every(cx, Duration::from_micros(period.into())),
///         }
///     }
///
///     fn tick(&mut self, _: &mut Cx<'_, Self>) {
///         self.ticks += 1 + self.timer.missed() as u32;
///     }
/// }
///
/// let mut bench = Bench::new(Ticker::default())?;
/// bench.write(0, 0x00, 1_u32);
/// bench.advance(Duration::from_secs(1));
/// assert_eq!(bench.read::<u32>(0, 0x04), 999_951, "the last call was 49 µs ago");
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    deadline: Option<Instant>,
    /// How the timer goes on after its deadline.
    periodic: Option<Periodic>,
    /// The deadline at which the timer last expired.
    expired: Option<Instant>,
    missed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Periodic {
    /// At least 1 ns.
    period: Duration,
    /// The number of periods that the next deadline stands for.
    covered: u64,
}

/// The shortest time between two deadlines of a periodic timer.
const SHORTEST: Duration = Duration::from_micros(50);

impl Timer {
    /// Arms the timer to expire once, `after` from now, and replaces any earlier deadline.
    pub fn arm<D: Device>(&mut self, cx: &Cx<'_, D>, after: Duration) {
        self.arm_at(cx.now(), after);
    }

    /// Arms the timer to expire every `period`, for the first time one period from now, until it is
    /// armed differently or cancelled. A period of zero counts as 1 ns.
    pub fn arm_every<D: Device>(&mut self, cx: &Cx<'_, D>, period: Duration) {
        self.arm_every_from(cx, period, period);
    }

    /// Arms the timer to expire `first` from now and then every `period`. A period of zero counts
    /// as 1 ns.
    pub fn arm_every_from<D: Device>(&mut self, cx: &Cx<'_, D>, first: Duration, period: Duration) {
        self.arm_every_at(cx.now(), first, period);
    }

    /// Arms the timer again from its hook, one period after its last deadline.
    ///
    /// However late hooks run, periods do not drift; missed periods are skipped.
    pub fn arm_again<D: Device>(&mut self, cx: &Cx<'_, D>, period: Duration) {
        self.arm_again_at(cx.now(), period);
    }

    /// Disarms the timer.
    pub fn cancel(&mut self) {
        self.deadline = None;
        self.periodic = None;
    }

    /// Returns whether the timer is armed. In its hook, only a periodic timer is.
    pub fn is_armed(&self) -> bool {
        self.deadline.is_some()
    }

    /// Returns the remaining time; `None` if the timer is not armed.
    pub fn remaining<D: Device>(&self, cx: &Cx<'_, D>) -> Option<Duration> {
        self.remaining_at(cx.now())
    }

    /// Returns how many periods the last call of the hook stands for besides one: those that have
    /// passed since the deadline, and those that were too short for a deadline of their own. It is
    /// 0 if the timer is not periodic.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn arm_at(&mut self, now: Instant, after: Duration) {
        self.deadline = Some(now + after.min(FOR_EVER));
        self.periodic = None;
    }

    pub(crate) fn arm_every_at(&mut self, now: Instant, first: Duration, period: Duration) {
        self.arm_at(now, first);
        self.periodic = Some(Periodic { period: bounded(period), covered: 1 });
    }

    pub(crate) fn arm_again_at(&mut self, now: Instant, period: Duration) {
        let period = period.min(FOR_EVER);
        let last = self.expired.unwrap_or(now);
        let late = now.saturating_duration_since(last).as_nanos();
        let missed = late.checked_div(period.as_nanos()).unwrap_or(0);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.deadline = Some(match period.checked_mul(missed) {
            Some(missed) => (last + missed + period).max(now),
            None => now + period,
        });
        self.periodic = None;
    }

    pub(crate) fn remaining_at(&self, now: Instant) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Returns what migrates of a timer; `None` if it is not armed.
    pub(crate) fn save(&self, now: Instant) -> Option<SavedTimer> {
        let deadline = self.deadline?;
        let left = nanos(deadline.saturating_duration_since(now));
        let Some(Periodic { period, covered }) = self.periodic else {
            return Some(SavedTimer::once(left));
        };
        let late = nanos(now.saturating_duration_since(deadline));
        Some(SavedTimer { left, late, period: nanos(period), covered })
    }

    /// Restores a timer. All values are accepted.
    pub(crate) fn restore(saved: Option<SavedTimer>, now: Instant) -> Self {
        let Some(SavedTimer { left, late, period, covered }) = saved else {
            return Timer::default();
        };
        let [left, late, period] =
            [left, late, period].map(|time| Duration::from_nanos(time).min(FOR_EVER));
        let deadline = now + left;
        let periodic = Periodic { period, covered: covered.max(1) };
        Timer {
            deadline: Some(deadline.checked_sub(late).unwrap_or(deadline)),
            periodic: Some(periodic).filter(|_| !period.is_zero()),
            ..Timer::default()
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Marks the timer as expired, and sets the next deadline of a periodic one.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.expired = self.deadline.take();
        self.missed = 0;
        if let (Some(deadline), Some(Periodic { period, covered })) = (self.expired, self.periodic)
        {
            let (late, period) = (nanos(now.saturating_duration_since(deadline)), nanos(period));
            let (late, step) = (late / period, nanos(SHORTEST).div_ceil(period));
            self.missed = (covered - 1).saturating_add(late);
            let next = late.saturating_add(step).saturating_mul(period);
            self.deadline = Some(deadline + Duration::from_nanos(next));
            self.periodic = self.periodic.map(|old| Periodic { covered: step, ..old });
        }
    }
}

/// What migrates of an armed timer, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedTimer {
    /// The remaining time.
    left: u64,
    /// How long ago the deadline was.
    late: u64,
    /// 0 if the timer is not periodic.
    period: u64,
    /// The number of periods that the deadline stands for.
    covered: u64,
}

impl SavedTimer {
    /// A timer that expires once, which is saved as its remaining time alone.
    pub(crate) fn once(left: u64) -> Self {
        SavedTimer { left, late: 0, period: 0, covered: 0 }
    }

    /// Returns the remaining time, if it is all that has to be saved.
    pub(crate) fn once_left(&self) -> Option<u64> {
        (!self.is_periodic()).then_some(self.left)
    }

    fn is_periodic(&self) -> bool {
        self.period != 0
    }
}

/// `1s`, and `1s of every 2s` of a periodic timer.
impl fmt::Display for SavedTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.left))?;
        if !self.is_periodic() {
            return Ok(());
        }
        write!(f, " of every {:?}", Duration::from_nanos(self.period))
    }
}

/// A period that a timer can have.
fn bounded(period: Duration) -> Duration {
    period.clamp(Duration::from_nanos(1), FOR_EVER)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
