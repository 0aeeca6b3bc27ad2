//! The generated tests find devices that do not follow the time over resets and migrations.

use std::cell::Cell;
use std::time::{Duration, Instant};

use vfio_user::suite::Suite;
use vfio_user::{Cx, Device, PciDevice, ResetKind, Result, Resumed, Timer, Virtual};

/// What is wrong with a device that follows the time.
#[derive(Clone, Copy, Default, PartialEq)]
enum Late {
    #[default]
    None,
    /// `saving` does not store how far the counter is.
    NotSaved,
    /// `saving` stores it, and goes on from where the counter started.
    SavedTwice,
    /// `loaded` goes on from where this device's own counter was.
    NotLoaded,
    /// `loaded` lets the counter that is `volatile` start again: the two need not read the same.
    RoughNotLoaded,
    /// `saving` counts how often it is called.
    SavingCounted,
    /// `saving` starts the counter again, at the source as well.
    Restarted,
    /// `loaded` disarms a timer.
    Disarmed,
    /// `loaded` arms it anew.
    ArmedAnew,
    /// `resume` disarms it.
    DisarmedByResume,
    /// `loaded` lets the hook of the timer do nothing.
    Deaf,
    /// A reset does not arm what `start` arms.
    NotArmedByReset,
    /// The same, of one kind of reset.
    NotArmedByFlr,
    NotArmedByPower,
    /// A kind of reset leaves a private field.
    KeptByFlr,
    KeptByPower,
    KeptByClient,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000)]
#[capability(pm, express(endpoint, flr))]
struct Clock {
    #[reg(0x00, ro, read_with = Self::count)]
    count: Virtual<u64>,
    #[reg(0x08, ro, volatile, read_with = Self::rough)]
    rough: Virtual<u64>,
    /// Seconds.
    #[reg(0x10, ro)]
    ticks: u32,
    #[reg(0x14, on_write = Self::wrote)]
    scratch: u32,
    #[timer(Self::tick)]
    timer: Timer,
    /// Nanoseconds before `since`.
    before: u64,
    writes: u64,
    #[migrate(skip)]
    since: Instant,
    /// What `rough` leaves out.
    #[migrate(skip)]
    offset: u64,
    #[migrate(skip)]
    is_deaf: bool,
    #[migrate(skip)]
    fault: Late,
}

impl Clock {
    const SECOND: Duration = Duration::from_secs(1);

    fn new(fault: Late) -> Self {
        Clock {
            count: Virtual::default(),
            rough: Virtual::default(),
            ticks: 0,
            scratch: 0,
            timer: Timer::default(),
            before: 0,
            writes: 0,
            since: Instant::now(),
            offset: 0,
            is_deaf: false,
            fault,
        }
    }

    fn count(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        self.before + u64::try_from((cx.now() - self.since).as_nanos()).unwrap()
    }

    fn rough(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        self.count(cx) - self.offset
    }

    fn wrote(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.writes += 1;
    }

    fn tick(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticks += u32::from(!self.is_deaf);
        self.timer.arm_again(cx, Self::SECOND);
    }
}

impl Device for Clock {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.since = cx.now();
        self.timer.arm(cx, Self::SECOND);
        Ok(())
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, kind: ResetKind) {
        (self.before, self.since) = (0, cx.now());
        let is_armed = match self.fault {
            Late::NotArmedByReset => false,
            Late::NotArmedByFlr => kind != ResetKind::FunctionLevel,
            Late::NotArmedByPower => kind != ResetKind::PowerState,
            _ => true,
        };
        if is_armed {
            self.timer.arm(cx, Self::SECOND);
        }
        let kept = match self.fault {
            Late::KeptByFlr => Some(ResetKind::FunctionLevel),
            Late::KeptByPower => Some(ResetKind::PowerState),
            Late::KeptByClient => Some(ResetKind::Device),
            _ => None,
        };
        if kept != Some(kind) {
            self.writes = 0;
        }
    }

    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        let count = self.count(cx);
        match self.fault {
            Late::NotSaved => {}
            Late::SavingCounted => self.writes += 1,
            Late::SavedTwice => self.before = count,
            Late::Restarted => (self.before, self.since) = (0, cx.now()),
            _ => (self.before, self.since) = (count, cx.now()),
        }
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        match self.fault {
            Late::NotLoaded => {}
            Late::RoughNotLoaded => (self.offset, self.since) = (self.before, cx.now()),
            _ => self.since = cx.now(),
        }
        match self.fault {
            Late::Disarmed => self.timer.cancel(),
            Late::ArmedAnew => self.timer.arm(cx, Self::SECOND),
            Late::Deaf => self.is_deaf = true,
            _ => {}
        }
        Ok(())
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        if self.fault == Late::DisarmedByResume && resumed == Resumed::Loaded {
            self.timer.cancel();
        }
    }
}

mod timely {
    use super::{Clock, Late};

    vfio_user::device_tests!(Clock, || Clock::new(Late::None));
}

/// What the tests say of a device that follows the time.
fn found(fault: Late, test: fn(&Suite<Clock>)) -> String {
    // A fault for each thread: `Suite` takes a function without data.
    thread_local!(static FAULT: Cell<Late> = const { Cell::new(Late::None) });
    FAULT.set(fault);
    let suite = Suite::new(|| Clock::new(FAULT.get()));
    let panic = std::panic::catch_unwind(|| test(&suite)).expect_err("the fault is not found");
    *panic.downcast::<String>().expect("a panic with a text")
}

#[track_caller]
fn assert_found(fault: Late, test: fn(&Suite<Clock>), expected: &str) {
    let found = found(fault, test);
    assert!(found.contains(expected), "{found}");
}

#[test]
fn a_counter_that_does_not_migrate_with_the_time_is_found() {
    for (fault, expected) in [
        (Late::NotSaved, "count follows the time and goes back from 0x"),
        (Late::SavedTwice, "count reads 0x"),
        (Late::SavingCounted, "`writes` is something else when the state is saved again"),
        (Late::Restarted, "count follows the time and goes back from 0x"),
        (Late::NotLoaded, "count reads 0x"),
        (Late::RoughNotLoaded, "rough follows the time and goes back from 0x"),
    ] {
        assert_found(fault, Suite::round_trips, expected);
    }
}

#[test]
fn a_timer_that_does_not_go_on_is_found() {
    for (fault, expected) in [
        (Late::Disarmed, "the timer `timer` has no deadline after its state was loaded"),
        (Late::ArmedAnew, "the timer `timer` has 1s left after its state was loaded, where"),
        (Late::DisarmedByResume, "the timer `timer` has no deadline after its state was loaded"),
        (Late::Deaf, "ticks"),
    ] {
        assert_found(fault, Suite::round_trips, expected);
    }
}

#[test]
fn a_timer_that_a_reset_does_not_arm_is_found() {
    for (fault, kind) in [
        (Late::NotArmedByReset, ""),
        (Late::NotArmedByFlr, "FunctionLevel"),
        (Late::NotArmedByPower, "PowerState"),
    ] {
        let expected = "the timer `timer` is armed in a new device and not after a reset";
        assert_found(fault, Suite::scripts, expected);
        assert_found(fault, Suite::scripts, &format!("`Device::reset` arms it (by {kind}"));
    }
}

#[test]
fn a_private_field_that_survives_one_kind_of_reset_is_found() {
    for (fault, kind) in [
        (Late::KeptByFlr, "FunctionLevel"),
        (Late::KeptByPower, "PowerState"),
        (Late::KeptByClient, "Device"),
    ] {
        let expected = format!("`Device::reset` clears it (by {kind})");
        assert_found(fault, Suite::scripts, &expected);
    }
}

#[test]
fn a_private_field_may_survive_function_level_resets_alone() {
    let suite = Suite::new(|| Clock::new(Late::KeptByFlr)).keep_on_flr(&["writes"]);
    suite.scripts();
    let others = Suite::new(|| Clock::new(Late::KeptByPower)).keep_on_flr(&["writes"]);
    let panic = std::panic::catch_unwind(|| others.scripts());
    assert!(panic.is_err(), "that is no function-level reset");
}
