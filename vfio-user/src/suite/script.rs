//! Random guests.

use super::Use;
use super::accesses::{AccessedBar, areas};
use super::elements::Elements;
use super::guest_resets::Resets;
use super::private::{Private, Spared, check_reserved};
use super::random::Random;
use super::timers::{Timers, pass};
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::function::Function;
use crate::layout::CONFIG;
use crate::model::ResetKind;
use crate::model::spec::{cfg, command};
use crate::protocol::{Errno, RegionIndex};

/// Number of scripts.
pub(super) const SEEDS: u64 = 4;
/// Accesses of a script.
const STEPS: u64 = 1000;
/// Accesses between two resets, about.
const RESET_EVERY: u64 = 250;
/// Accesses before each of the last resets.
const LAST_STEPS: u64 = 100;

/// Resets the device by all of its kinds of reset between accesses; each kind is the last one for
/// some seeds.
pub(super) fn check<D: PciDevice>(
    bench: &mut Bench<D>,
    elements: &Elements,
    spared: Spared,
    seed: u64,
) {
    let mut script = Script::new(bench, elements, seed);
    let resets = Resets::of(bench);
    let constructed = Snapshot::take(bench, elements);
    let mut reset = Reset { bench, elements, spared, resets, constructed: &constructed };
    for _ in 0..STEPS {
        script.step(reset.bench);
        if script.random.below(RESET_EVERY) == 0 {
            let kind = reset.resets.kind(script.random.bits());
            reset.check(kind);
        }
    }
    reset.resets.add_used(reset.bench);
    for number in 0..reset.resets.count() {
        (0..LAST_STEPS).for_each(|_| drop(script.step(reset.bench)));
        reset.check(reset.resets.kind(seed + number));
    }
}

/// Checks each kind of reset on a new device after a use.
pub(super) fn check_used<D: PciDevice>(
    construct: impl Fn() -> Bench<D>,
    elements: &Elements,
    spared: Spared,
    drive: Use<D>,
) {
    let mut probe = construct();
    let mut resets = Resets::of(&probe);
    drive(&mut probe);
    resets.add_used(&probe);
    for number in 0..resets.count() {
        let bench = &mut construct();
        let constructed = &Snapshot::take(bench, elements);
        drive(bench);
        let resets = resets.clone();
        let mut reset = Reset { bench, elements, spared, resets, constructed };
        reset.check(reset.resets.kind(number));
    }
}

/// A sequence of accesses.
pub(super) struct Script<'a> {
    areas: Vec<(Vec<u64>, AccessedBar)>,
    elements: &'a Elements,
    random: Random,
}

impl<'a> Script<'a> {
    pub(super) fn new<D: PciDevice>(bench: &Bench<D>, elements: &'a Elements, seed: u64) -> Self {
        let areas = areas(bench.function().descriptor(), elements).into_iter();
        Script {
            areas: areas.map(|area| (area.offsets.iter().copied().collect(), area)).collect(),
            elements,
            random: Random::new(seed),
        }
    }

    /// Performs an access, and returns the read value if it is a read.
    pub(super) fn step<D: PciDevice>(&mut self, bench: &mut Bench<D>) -> Option<Seen> {
        match self.random.below(20) {
            0 | 1 => {
                bench.handle_events();
                None
            }
            2 => {
                pass(bench, self.random.time());
                None
            }
            3 => {
                switch_on(bench);
                None
            }
            4..=6 => self.access_anywhere(bench, RegionIndex::Config),
            7 | 8 => self.access_beyond(bench),
            _ => self.access_bar(bench),
        }
    }

    fn access_anywhere<D: PciDevice>(
        &mut self,
        bench: &mut Bench<D>,
        region: RegionIndex,
    ) -> Option<Seen> {
        let size = bench.function().region(region).size;
        let offset = self.random.below(size + 1);
        let len = self.random.below(17);
        self.access(bench, region, offset, len)
    }

    /// Accesses the ROM, or a device-specific region.
    fn access_beyond<D: PciDevice>(&mut self, bench: &mut Bench<D>) -> Option<Seen> {
        let rom = u64::from(u32::from(RegionIndex::Rom));
        let number = rom + self.random.below(u64::from(bench.function().regions()) - rom);
        let region = u32::try_from(number).map_or(RegionIndex::Rom, RegionIndex::from);
        self.access_anywhere(bench, region)
    }

    fn access_bar<D: PciDevice>(&mut self, bench: &mut Bench<D>) -> Option<Seen> {
        let (offsets, area) = self.random.pick(&self.areas)?;
        let offset = self.random.pick(offsets)?;
        let len = 1 + self.random.below(16);
        let (bar, offset) = (area.bar, *offset);
        let here: Vec<_> = self.elements.within(bar, &(offset..offset + 1)).collect();
        // A random value hardly ever makes a register answer that waits for a certain one.
        if here.iter().any(|element| element.is_conditional())
            && let Some(element) = self.random.pick(&here)
        {
            self.elements.choose(bench, element);
        }
        self.access(bench, RegionIndex::ALL[usize::from(bar)], offset, len)
    }

    /// Performs an access, whatever the reply. Does not touch excluded registers.
    fn access<D: PciDevice>(
        &mut self,
        bench: &mut Bench<D>,
        region: RegionIndex,
        offset: u64,
        len: u64,
    ) -> Option<Seen> {
        let bar = u8::try_from(u32::from(region)).unwrap_or(u8::MAX);
        let origin = bench.function().descriptor().origin(bar);
        if !self.elements.allow(origin, &(offset..offset + len)) {
            return None;
        }
        let mut data = self.random.bytes(usize::try_from(len).unwrap_or(0));
        if self.random.below(2) == 0 {
            let answer = bench.try_read(region, offset, &mut data);
            return Some(Seen { bar: origin, offset, answer, data });
        }
        let _ = bench.try_write(region, offset, &data);
        None
    }
}

/// Enables the decoding of BARs, which accesses to configuration space may disable.
pub(super) fn switch_on<D: PciDevice>(bench: &mut Bench<D>) {
    let command = bench.read_config::<u16>(cfg::COMMAND as u64);
    let decodes = command::IO_SPACE | command::MEMORY_SPACE;
    bench.write_config(cfg::COMMAND as u64, command | decodes);
}

/// The result of a read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) bar: u8,
    pub(super) offset: u64,
    pub(super) answer: Result<(), Errno>,
    pub(super) data: Vec<u8>,
}

/// The state of a device that is visible without accesses.
pub(super) struct Snapshot {
    registers: Vec<u64>,
    /// The bytes of configuration space outside registers.
    config: Vec<(usize, u8)>,
    private: Private,
    timers: Timers,
}

impl Snapshot {
    pub(super) fn take<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) -> Self {
        let size = bench.function().descriptor().config_size();
        let is_register =
            |at| elements.within(CONFIG, &(at as u64..at as u64 + 1)).next().is_some();
        let config = (0..size).filter(|at| !is_register(*at));
        let config = config.map(|at| (at, bench.read_config::<u8>(at as u64))).collect();
        let (private, timers) = (Private::take(bench), Timers::take(bench));
        Snapshot { config, registers: elements.peek_all(bench), private, timers }
    }

    /// Returns configuration space, without the bits that survive a kind of reset.
    pub(super) fn config<D: PciDevice>(
        &self,
        bench: &Bench<D>,
        kind: ResetKind,
    ) -> Vec<(usize, u8)> {
        let kept = |at| bench.function().config_bits_kept(at, kind);
        self.config.iter().map(|(at, byte)| (*at, byte & !kept(*at))).collect()
    }
}

/// The checks of every reset.
struct Reset<'a, D: PciDevice> {
    bench: &'a mut Bench<D>,
    elements: &'a Elements,
    spared: Spared,
    resets: Resets,
    constructed: &'a Snapshot,
}

impl<D: PciDevice> Reset<'_, D> {
    fn check(&mut self, kind: ResetKind) {
        check_reserved(self.bench, self.elements);
        let before = self.elements.peek_all(self.bench);
        self.resets.request(self.bench, kind);
        let reset = Snapshot::take(self.bench, self.elements);
        let [expected, found] =
            [self.constructed, &reset].map(|snapshot| snapshot.config(self.bench, kind));
        assert_eq!(found, expected, "configuration space after a reset ({kind:?})");
        self.check_registers(kind, &before, &reset);
        self.check_private(kind, &reset);
    }

    fn check_registers(&self, kind: ResetKind, before: &[u64], reset: &Snapshot) {
        for (place, element) in self.elements.all().iter().enumerate() {
            let survives = self.bench.function().descriptor().survives(element.slot, kind);
            let expected = if survives { before[place] } else { self.constructed.registers[place] };
            let found = reset.registers[place];
            assert!(
                (found ^ expected) & element.settled == 0,
                "a script leaves {element} as {found:#x} and not {expected:#x} after a reset \
                 ({kind:?})"
            );
        }
    }

    fn check_private(&self, kind: ResetKind, reset: &Snapshot) {
        let spared = self.spared.survivors(kind, self.bench.function().descriptor());
        if let Some(field) = self.constructed.private.difference(&reset.private, &spared) {
            panic!(
                "a script leaves something else in `{field}` after a reset than a new device has; \
                 `Device::reset` clears it (by {kind:?}), or the tests expect that it survives: \
                 `sticky = [\"{field}\"]`"
            );
        }
        if let Some(timer) = self.constructed.timers.first_disarmed(&reset.timers, &spared) {
            panic!(
                "the timer `{timer}` is armed in a new device and not after a reset, which disarms \
                 all timers; `Device::reset` arms it (by {kind:?}), or the tests expect that it is \
                 not armed: `sticky = [\"{timer}\"]`"
            );
        }
    }
}
