//! Timers on a bench: periods, arrays, blocks.

use std::time::Duration;

use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, Timer, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = ChannelHost)]
struct Channel {
    #[reg(0x00)]
    ticks: u32,
    #[timer(ticked)]
    timers: [Timer; 2],
}

/// The most that a hostile guest may choose: periods of any number of nanoseconds.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Clock {
    #[reg(0x00)]
    first: u64,
    #[reg(0x08, wo, wide, write_with = Self::start)]
    period: Virtual<u64>,
    /// The periods that have passed.
    #[reg(0x10, ro)]
    passed: u64,
    #[reg(0x18, ro)]
    calls: u64,
    #[reg(0x20, wo, write_with = Self::arm)]
    arm: [Virtual<u32>; 4],
    #[reg(0x30)]
    alarms: [u32; 4],
    #[block(0x40)]
    channels: [Channel; 3],
    #[timer(Self::tick)]
    tick: Timer,
    #[timer(Self::alarm)]
    alarm_timers: [Timer; 4],
}

impl Device for Clock {
    type Event = ();
}

impl Clock {
    fn start(&mut self, cx: &mut Cx<'_, Self>, period: u64) {
        let [first, period] = [self.first, period].map(Duration::from_nanos);
        self.tick.arm_every_from(cx, first, period);
    }

    fn tick(&mut self, _: &mut Cx<'_, Self>) {
        assert!(self.tick.is_armed());
        self.calls += 1;
        self.passed = self.passed.saturating_add(self.tick.missed()).saturating_add(1);
    }

    fn arm(&mut self, cx: &mut Cx<'_, Self>, index: usize, microseconds: u32) {
        let time = Duration::from_micros(microseconds.into());
        self.alarm_timers[index].arm(cx, time);
        if let Some(channel) = self.channels.get_mut(index) {
            channel.timers[1].arm_every(cx, time);
        }
    }

    fn alarm(&mut self, _: &mut Cx<'_, Self>, index: usize) {
        assert!(!self.alarm_timers[index].is_armed());
        self.alarms[index] += 1;
    }
}

impl ChannelHost for Clock {
    fn ticked(&mut self, _: &mut Cx<'_, Self>, index: usize, element: usize) {
        self.channels[index].ticks += u32::try_from(element).unwrap();
    }
}

mod generated {
    vfio_user::device_tests!(super::Clock, super::Clock::default);
}

/// A clock that runs, with a first period and others in nanoseconds.
fn clock(first: u64, period: u64) -> Bench<Clock> {
    let mut bench = Bench::new(Clock::default()).unwrap();
    bench.write(0, 0x00, first);
    bench.write(0, 0x08, period);
    bench
}

/// The periods that have passed, and the calls of the hook.
fn counts(bench: &mut Bench<Clock>) -> (u64, u64) {
    (bench.read(0, 0x10), bench.read(0, 0x18))
}

#[test]
fn a_periodic_timer_goes_on_by_itself() {
    let mut bench = clock(30_000, 100_000);
    for (nanoseconds, passed) in [(29_999, 0), (1, 1), (99_999, 1), (1, 2), (10_000_000, 102)] {
        bench.advance(Duration::from_nanos(nanoseconds));
        assert_eq!(counts(&mut bench), (passed, passed));
    }
    bench.reset();
    bench.advance(Duration::from_secs(1));
    assert_eq!(counts(&mut bench), (0, 0), "a reset ends it");
}

/// Whatever the period, each one is counted, and the hook runs at most every 50 µs.
#[test]
fn short_periods_are_counted_and_do_not_keep_the_device_busy() {
    for period in [1, 3, 7, 999, 49_999, 50_000, 50_001, 70_000] {
        let mut bench = clock(period, period);
        bench.advance(Duration::from_millis(10));
        let (passed, calls) = counts(&mut bench);
        let step = 50_000_u64.div_ceil(period);
        let expected = 1 + (10_000_000 - period) / (step * period) * step;
        assert_eq!(passed, expected, "of {period} ns");
        assert!(calls <= 1 + 10_000_000 / 50_000, "{calls} calls for {period} ns");
    }
}

#[test]
fn absurd_periods_are_bounded() {
    let mut bench = clock(0, 0);
    bench.advance(Duration::from_millis(1));
    let (passed, calls) = counts(&mut bench);
    assert_eq!(calls, 21);
    assert_eq!(passed, 1_000_001, "0 counts as 1 ns");
    let mut bench = clock(u64::MAX, u64::MAX);
    bench.advance(Duration::from_secs(99 * 365 * 24 * 3600));
    assert_eq!(counts(&mut bench), (0, 0));
}

#[test]
fn arrays_of_timers_have_indices_also_in_blocks() {
    let mut bench = Bench::new(Clock::default()).unwrap();
    for index in 0..4_u32 {
        bench.write(0, u64::from(0x20 + 4 * index), 100 * (index + 1));
    }
    bench.advance(Duration::from_micros(300));
    let alarms = [0x30, 0x34, 0x38, 0x3c].map(|offset| bench.read::<u32>(0, offset));
    assert_eq!(alarms, [1, 1, 1, 0]);
    let ticks = [0x40, 0x44, 0x48].map(|offset| bench.read::<u32>(0, offset));
    assert_eq!(ticks, [3, 1, 1]);
}

#[test]
fn periods_and_arrays_migrate_in_phase() {
    let mut source = clock(130_000, 100_000);
    source.write(0, 0x28, 200_u32);
    source.advance(Duration::from_micros(150));
    let mut target = Bench::new(Clock::default()).unwrap();
    target.load(&source.save()).unwrap();
    for bench in [&mut source, &mut target] {
        bench.advance(Duration::from_micros(79));
        assert_eq!(counts(bench), (1, 1));
        bench.advance(Duration::from_micros(1));
        assert_eq!(counts(bench), (2, 2));
        bench.advance(Duration::from_micros(370));
        assert_eq!(counts(bench), (5, 5));
        assert_eq!((bench.read::<u32>(0, 0x38), bench.read::<u32>(0, 0x48)), (1, 3));
    }
}

/// Periods that are too short for deadlines of their own are not lost with the source.
#[test]
fn missed_periods_migrate() {
    let mut source = clock(1000, 1000);
    source.advance(Duration::from_micros(30));
    let mut target = Bench::new(Clock::default()).unwrap();
    target.load(&source.save()).unwrap();
    for bench in [&mut source, &mut target] {
        bench.advance(Duration::from_micros(21));
        assert_eq!(counts(bench), (51, 2));
    }
}
