//! Guests that do anything.

use super::accesses::{Area, areas};
use super::elements::Elements;
use super::private::{Private, Spared, check_reserved};
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::function::Function;
use crate::layout::CONFIG;
use crate::model::ResetKind;
use crate::protocol::{Errno, RegionIndex};

/// How many scripts there are.
pub(super) const SEEDS: u64 = 4;
/// Accesses of a script.
const STEPS: u64 = 1000;
/// Accesses between two resets, about.
const RESET_EVERY: u64 = 250;

pub(super) fn check<D: PciDevice>(
    bench: &mut Bench<D>,
    elements: &Elements,
    spared: Spared,
    seed: u64,
) {
    let mut script = Script::new(bench, elements, seed);
    let constructed = Snapshot::take(bench, elements);
    for _ in 0..STEPS {
        script.step(bench);
        if script.random.below(RESET_EVERY) == 0 {
            check_reset(bench, elements, spared, &constructed);
        }
    }
    check_reset(bench, elements, spared, &constructed);
}

/// Accesses, one after the other.
pub(super) struct Script<'a> {
    areas: Vec<(Vec<u64>, Area)>,
    elements: &'a Elements,
    random: Random,
}

impl<'a> Script<'a> {
    pub(super) fn new<D: PciDevice>(bench: &Bench<D>, elements: &'a Elements, seed: u64) -> Self {
        let areas = areas(bench.hosted().descriptor(), elements).into_iter();
        Script {
            areas: areas.map(|area| (area.offsets.iter().copied().collect(), area)).collect(),
            elements,
            random: Random::new(seed),
        }
    }

    /// What an access has read, if it is one that reads.
    pub(super) fn step<D: PciDevice>(&mut self, bench: &mut Bench<D>) -> Option<Seen> {
        match self.random.below(10) {
            0 => {
                bench.handle_events();
                None
            }
            1 | 2 => self.access_anywhere(bench, RegionIndex::Config),
            3 => self.access_beyond(bench),
            _ => self.access_bar(bench),
        }
    }

    fn access_anywhere<D: PciDevice>(
        &mut self,
        bench: &mut Bench<D>,
        region: RegionIndex,
    ) -> Option<Seen> {
        let size = bench.hosted().region(region).size;
        let offset = self.random.below(size + 1);
        let len = self.random.below(17);
        self.access(bench, region, offset, len)
    }

    /// The ROM, or a region that PCI does not know.
    fn access_beyond<D: PciDevice>(&mut self, bench: &mut Bench<D>) -> Option<Seen> {
        let rom = u64::from(u32::from(RegionIndex::Rom));
        let number = rom + self.random.below(u64::from(bench.hosted().regions()) - rom);
        let region = u32::try_from(number).map_or(RegionIndex::Rom, RegionIndex::from);
        self.access_anywhere(bench, region)
    }

    fn access_bar<D: PciDevice>(&mut self, bench: &mut Bench<D>) -> Option<Seen> {
        let (offsets, area) = self.random.pick(&self.areas)?;
        let offset = self.random.pick(offsets)?;
        let len = 1 + self.random.below(16);
        let region = RegionIndex::ALL[usize::from(area.bar)];
        let offset = *offset;
        self.access(bench, region, offset, len)
    }

    /// Whatever the answer is. Excluded registers are left alone.
    fn access<D: PciDevice>(
        &mut self,
        bench: &mut Bench<D>,
        region: RegionIndex,
        offset: u64,
        len: u64,
    ) -> Option<Seen> {
        let bar = u8::try_from(u32::from(region)).unwrap_or(u8::MAX);
        if !self.elements.allow(bar, &(offset..offset + len)) {
            return None;
        }
        let mut data = self.random.bytes(usize::try_from(len).unwrap_or(0));
        if self.random.below(2) == 0 {
            let answer = bench.try_read(region, offset, &mut data);
            return Some(Seen { bar, offset, answer, data });
        }
        let _ = bench.try_write(region, offset, &data);
        None
    }
}

/// What a read was answered with.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) bar: u8,
    pub(super) offset: u64,
    pub(super) answer: Result<(), Errno>,
    pub(super) data: Vec<u8>,
}

/// What can be seen of a device without asking it.
pub(super) struct Snapshot {
    registers: Vec<u64>,
    /// The bytes of configuration space that are no registers, without bits that stay over resets.
    pub(super) config: Vec<(usize, u8)>,
    pub(super) private: Private,
}

impl Snapshot {
    pub(super) fn take<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) -> Self {
        let size = bench.hosted().descriptor().config_size();
        let is_register =
            |at| elements.within(CONFIG, &(at as u64..at as u64 + 1)).next().is_some();
        let config = (0..size).filter(|at| !is_register(*at)).map(|at| {
            let kept = bench.hosted().config_bits_kept(at, ResetKind::Device);
            (at, bench.read_config::<u8>(at as u64) & !kept)
        });
        let config = config.collect();
        Snapshot { config, registers: elements.peek_all(bench), private: Private::take(bench) }
    }
}

fn check_reset<D: PciDevice>(
    bench: &mut Bench<D>,
    elements: &Elements,
    spared: Spared,
    constructed: &Snapshot,
) {
    check_reserved(bench, elements);
    let before = elements.peek_all(bench);
    bench.reset();
    let reset = Snapshot::take(bench, elements);
    assert_eq!(reset.config, constructed.config, "configuration space after a reset");
    for (place, element) in elements.all().iter().enumerate() {
        let survives = element.register.survives(ResetKind::Device);
        let expected = if survives { before[place] } else { constructed.registers[place] };
        let found = reset.registers[place];
        assert!(
            (found ^ expected) & element.settled == 0,
            "a script leaves {element} as {found:#x} and not {expected:#x} after a reset"
        );
    }
    let spared = [spared.sticky, spared.volatile].concat();
    if let Some(field) = constructed.private.difference(&reset.private, &spared) {
        panic!(
            "a script leaves something else in `{field}` after a reset than a new device has; \
             `Device::reset` clears it, or else the tests are told: `sticky = [\"{field}\"]`"
        );
    }
}
