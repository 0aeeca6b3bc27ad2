//! HPET-like timers: 32 blocks with a timer each, periodic or not, and a counter that is read in
//! halves (IA-PC HPET specification 1.0a, section 2.3, with messages instead of I/O APIC inputs).

use std::time::{Duration, Instant};

use vfio_user::{
    Bench, Cx, Device, PciDevice, Register, RegisterBlock, ResetKind, Result, Timer, Virtual,
};

/// Of the counter, in nanoseconds.
const TICK: u64 = 10;
const TIMERS: usize = 32;

#[derive(Clone, Copy, Default, Register)]
#[register(u64)]
struct Capabilities {
    #[field(bits = 0..=7, reset = 1)]
    revision: u8,
    #[field(bits = 8..=12, reset = TIMERS - 1)]
    last_timer: u8,
    #[field(bit = 13, reset = 1)]
    counts_64_bits: bool,
    #[field(bits = 16..=31, reset = 0x8086)]
    vendor: u16,
    #[field(bits = 32..=63, reset = TICK * 1_000_000)]
    femtoseconds: u32,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u64)]
struct Enable {
    #[field(bit = 0)]
    counts: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "these are the bits of the hardware")]
#[derive(Clone, Copy, Default, Register)]
#[register(u64)]
struct Config {
    #[field(bit = 1)]
    level: bool,
    #[field(bit = 2)]
    enable: bool,
    #[field(bit = 3)]
    periodic: bool,
    #[field(bit = 4, ro, reset = 1)]
    can_be_periodic: bool,
    #[field(bit = 5, ro, reset = 1)]
    is_64_bits: bool,
    /// The next write of the comparator sets its value alone.
    #[field(bit = 6)]
    sets_value: bool,
    #[field(bits = 9..=13)]
    route: u8,
    #[field(bits = 32..=63, ro, reset = 0xffff_ffff_u32)]
    routes: u32,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = ComparatorHost)]
struct Comparator {
    #[reg(0x00, on_write = configured)]
    config: Config,
    #[reg(0x08, volatile, write_with = compare)]
    value: u64,
    period: u64,
    #[timer(expired)]
    timer: Timer,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x8086, device = 0x27d8)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 32)]
struct Hpet {
    #[reg(0x00, ro)]
    capabilities: Virtual<Capabilities>,
    #[reg(0x10, on_write = Self::enabled)]
    enable: Enable,
    #[reg(0x20, w1c, volatile, mask = 0xffff_ffff)]
    status: u64,
    #[reg(0xf0, wide, volatile, read_with = Self::count, write_with = Self::set_count)]
    counter: Virtual<u64>,
    #[block(0x100, stride = 0x20)]
    comparators: [Comparator; TIMERS],
    /// The counter, when it was started.
    base: u64,
    #[migrate(skip)]
    started: Option<Instant>,
}

impl Device for Hpet {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.base, self.started) = (0, None);
        self.comparators.iter_mut().for_each(|comparator| comparator.period = 0);
    }

    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        self.base = self.count(cx);
        self.started = self.started.map(|_| cx.now());
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.started = self.enable.counts.then(|| cx.now());
        Ok(())
    }
}

impl Hpet {
    fn count(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        let ran = self.started.map_or(0, |started| (cx.now() - started).as_nanos());
        self.base.wrapping_add(u64::try_from(ran).unwrap_or(u64::MAX) / TICK)
    }

    fn set_count(&mut self, cx: &mut Cx<'_, Self>, count: u64) {
        self.base = count;
        self.started = self.started.map(|_| cx.now());
        (0..TIMERS).for_each(|index| self.arm(cx, index));
    }

    fn enabled(&mut self, cx: &mut Cx<'_, Self>, _: Enable, enable: Enable) {
        self.base = self.count(cx);
        self.started = enable.counts.then(|| cx.now());
        (0..TIMERS).for_each(|index| self.arm(cx, index));
    }

    fn arm(&mut self, cx: &mut Cx<'_, Self>, index: usize) {
        let time = |ticks: u64| Duration::from_nanos(ticks.saturating_mul(TICK));
        let now = self.count(cx);
        let Comparator { config, value, period, timer } = &mut self.comparators[index];
        let first = time(value.wrapping_sub(now));
        match (self.started, config.periodic && *period > 0) {
            (None, _) => timer.cancel(),
            (Some(_), true) => timer.arm_every_from(cx, first, time(*period)),
            (Some(_), false) => timer.arm(cx, first),
        }
    }
}

impl ComparatorHost for Hpet {
    fn configured(&mut self, cx: &mut Cx<'_, Self>, index: usize, old: Config, new: Config) {
        if old.periodic != new.periodic {
            self.arm(cx, index);
        }
    }

    fn compare(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: u64) {
        let comparator = &mut self.comparators[index];
        let config = &mut comparator.config;
        if config.periodic && !config.sets_value {
            comparator.period = value;
        } else {
            comparator.value = value;
        }
        config.sets_value = false;
        self.arm(cx, index);
    }

    fn expired(&mut self, cx: &mut Cx<'_, Self>, index: usize) {
        let Comparator { config, value, period, timer } = &mut self.comparators[index];
        if timer.is_armed() {
            let passed = timer.missed().wrapping_add(1);
            *value = value.wrapping_add(period.wrapping_mul(passed));
        }
        if config.enable {
            self.status |= u64::from(config.level) << index;
            cx.irq(config.route.into()).raise();
        }
    }
}

mod generated {
    use super::Hpet;

    vfio_user::device_tests!(Hpet, Hpet::default);

    #[test]
    fn most_registers_are_accessed() {
        let coverage = device_suite().coverage();
        assert!(coverage.accessed * 5 >= coverage.registers_total * 4, "{coverage}");
    }
}

const COUNTS: u64 = 1;
const PERIODIC: u64 = 0b1100;
const SETS_VALUE: u64 = 1 << 6;

fn comparator(index: u64) -> u64 {
    0x100 + 0x20 * index
}

fn route(vector: u64) -> u64 {
    vector << 9
}

/// Timer 3 comes to vector 5 every 100 µs, timer 31 once after 1 ms.
fn started() -> Bench<Hpet> {
    let mut hpet = Bench::new(Hpet::default()).unwrap();
    hpet.write(0, comparator(3), PERIODIC | SETS_VALUE | route(5));
    hpet.write(0, comparator(3) + 8, 10_000_u64);
    hpet.write(0, comparator(3) + 8, 10_000_u64);
    hpet.write(0, comparator(31), 0b110 | route(31));
    hpet.write(0, comparator(31) + 8, 100_000_u64);
    hpet.write(0, 0x10, COUNTS);
    hpet
}

#[test]
fn timers_in_blocks_expire_each_for_itself() {
    let mut hpet = started();
    hpet.advance(Duration::from_micros(950));
    assert_eq!((hpet.take_irq(5), hpet.take_irq(31)), (9, 0));
    assert_eq!(hpet.read::<u64>(0, comparator(3) + 8), 100_000, "the next one");
    hpet.advance(Duration::from_micros(50));
    assert_eq!((hpet.take_irq(5), hpet.take_irq(31)), (1, 1));
    assert_eq!(hpet.read::<u64>(0, 0x20), 1 << 31);
    hpet.advance(Duration::from_secs(1));
    assert_eq!((hpet.take_irq(5), hpet.take_irq(31)), (10_000, 0));
    hpet.write(0, 0x10, 0_u64);
    hpet.advance(Duration::from_secs(1));
    assert_eq!(hpet.take_irq(5), 0);
}

#[test]
fn the_counter_is_read_in_halves_of_one_time() {
    let mut hpet = Bench::new(Hpet::default()).unwrap();
    hpet.write(0, 0xf0, 0xffff_ffff_u64);
    hpet.write(0, 0x10, COUNTS);
    assert_eq!(hpet.read::<u32>(0, 0xf0), 0xffff_ffff);
    hpet.advance(Duration::from_nanos(TICK));
    assert_eq!(hpet.read::<u32>(0, 0xf4), 0);
    assert_eq!(hpet.read::<u64>(0, 0xf0), 1 << 32);
}

/// The state is saved in the middle of a period, and a comparator's timer is late.
#[test]
fn timers_in_blocks_migrate_in_phase() {
    let mut source = started();
    source.advance(Duration::from_micros(130));
    let mut target = Bench::new(Hpet::default()).unwrap();
    target.load(&source.save()).unwrap();
    for hpet in [&mut source, &mut target] {
        hpet.take_irq(5);
        hpet.advance(Duration::from_micros(69));
        assert_eq!(hpet.take_irq(5), 0);
        hpet.advance(Duration::from_micros(1));
        assert_eq!(hpet.take_irq(5), 1);
        hpet.advance(Duration::from_micros(800));
        assert_eq!((hpet.take_irq(5), hpet.take_irq(31)), (8, 1));
    }
}

#[test]
fn a_reset_disarms_timers_in_blocks() {
    let mut hpet = started();
    hpet.reset();
    hpet.write(0, 0x10, COUNTS);
    hpet.advance(Duration::from_secs(1));
    assert_eq!((hpet.take_irq(5), hpet.take_irq(31)), (0, 0));
}
